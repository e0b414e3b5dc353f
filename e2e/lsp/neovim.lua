-- What a user does in Neovim, without a screen. Prints what the user sees to the file RESULT.

local result = assert(io.open(os.getenv('RESULT'), 'w'))

local function show(title, lines)
  result:write('==== ', title, '\n', table.concat(lines, '\n'), '\n')
  result:flush()
end

local function wait_for(description, condition)
  if not vim.wait(60000, condition, 10) then
    show('not in time: ' .. description, {})
    vim.cmd('cquit')
  end
end

local names = { 'error', 'warning', 'information', 'hint' }

-- The diagnostics of the buffer, with columns in bytes from 1.
local function diagnostics()
  local lines = {}
  for _, diagnostic in ipairs(vim.diagnostic.get(0)) do
    local code = diagnostic.code or (diagnostic.user_data and diagnostic.user_data.lsp.code) or 'no code'
    local severity = names[diagnostic.severity]
    local at = string.format('%03d:%02d', diagnostic.lnum + 1, diagnostic.col + 1)
    table.insert(lines, string.format('%s %s %s: %s', at, severity, code, diagnostic.message:gsub('\n', ' / ')))
  end
  table.sort(lines)
  return lines
end

local function has(code)
  return table.concat(diagnostics(), '\n'):find(' ' .. code .. ':', 1, true) ~= nil
end

-- Moves the cursor to the first diagnostic of a rule.
local function go_to(code)
  for _, line in ipairs(diagnostics()) do
    local row, column = line:match('^(%d+):(%d+) %a+ ' .. vim.pesc(code) .. ':')
    if row then
      vim.api.nvim_win_set_cursor(0, { tonumber(row), tonumber(column) - 1 })
      return
    end
  end
end

-- Chooses the first code action whose title has some words, as from the menu.
local function choose(words, context)
  local titles, is_chosen = {}, false
  vim.ui.select = function(items, options, on_choice)
    for index, item in ipairs(items) do
      local title = options.format_item(item)
      table.insert(titles, title)
      if not is_chosen and title:find(words, 1, true) then
        is_chosen = true
        on_choice(item, index)
      end
    end
  end
  local before = vim.api.nvim_buf_get_changedtick(0)
  vim.lsp.buf.code_action({ context = context })
  wait_for('a code action: ' .. words, function()
    return is_chosen and vim.api.nvim_buf_get_changedtick(0) > before
  end)
  show('code actions', titles)
end

wait_for('diagnostics', function() return has('single-replica') end)
show('diagnostics', diagnostics())

go_to('single-replica')
vim.lsp.buf.hover()
local function hover()
  for _, window in ipairs(vim.api.nvim_list_wins()) do
    if vim.api.nvim_win_get_config(window).relative ~= '' then
      return window
    end
  end
end
wait_for('a hover', function() return hover() ~= nil end)
show('hover', vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(hover()), 0, -1, false))
vim.api.nvim_win_close(hover(), true)

choose('Fix single-replica', nil)
wait_for('the fix', function() return not has('single-replica') end)

-- Typing, also of characters outside of the basic plane, in front of a value with a finding.
local row = vim.fn.search('image: mcr')
vim.api.nvim_buf_set_lines(0, row - 1, row, false, { '          "image": "mcr.microsoft.com/azure-sql-edge"' })
vim.api.nvim_buf_set_text(0, row - 1, 10, row - 1, 10, { '? "😀"', '          : "é"', '          ' })
wait_for('the pinned image', function() return has('pinned-image') end)
show('diagnostics after typing', diagnostics())

choose('Fix all', { only = { 'source.fixAll' }, diagnostics = {} })
wait_for('all fixes', function() return not has('recreate-strategy') end)
show('diagnostics after all safe fixes', diagnostics())

go_to('pinned-image')
choose('Ignore pinned-image', nil)
wait_for('the ignore comment', function() return not has('pinned-image') end)
show('text', vim.api.nvim_buf_get_lines(0, 0, -1, false))
vim.cmd('qall!')
