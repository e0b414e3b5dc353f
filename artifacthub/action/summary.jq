# Converts the JSON report to the job summary of the GitHub action. $files is the address of the checked files.

# GitHub limits a summary to 1 MiB.
def max: 500;
# Text in a cell of a table, without Markdown.
def cell: gsub("\\s+"; " ") | gsub("(?<c>[\\\\|<>&`*_~#@\\[\\]])"; "\\\(.c)");
def count($level): "\(length) \($level)\(if length == 1 then "" else "s" end)";
def location:
  (.file + if .start then ":\(.start.line)" else "" end | cell) as $text
  | (.file | split("/") | map(@uri) | join("/")) as $path
  # A path that leads out of the repository has no address.
  | if (.file | startswith("/") or startswith("-") or contains("..")) then $text
    else "[\($text)](\($files)/\($path)\(if .start then "#L\(.start.line)" else "" end))" end;
def rule: "[`\(.)`](https://github.com/sqledge-ha/sqledge-ha/blob/main/docs/reference/rules.md#\(.))";
def section($level):
  map(select(.level == $level))
  | if . == [] then empty else
      "\n### \(count($level))\n\n| location | rule | finding |\n|---|---|---|",
      (.[:max][] | "| \(location) | \(.rule | rule) | \(.message | cell) |"),
      (if length > max then "\n\(length - max) more are in the log." else empty end)
    end;

"## sqledge-ha\n\n\(.findings | map(select(.level == "error")) | count("error")), "
  + "\(.findings | map(select(.level == "warning")) | count("warning")) in \(.summary.files) file\(if .summary.files == 1 then "" else "s" end)",
(.errors[] | "\n**\(.file | cell)** cannot be read: \(.message | cell)"),
(.findings | section("error"), section("warning"))
