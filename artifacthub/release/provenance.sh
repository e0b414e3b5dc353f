#!/bin/sh
# Converts checksums to an in-toto statement with the predicate SLSA provenance v1.
# https://slsa.dev/spec/v1.0/provenance
#
#   sh artifacthub/release/provenance.sh VERSION COMMIT SOURCES <SHA256SUMS >provenance.json
#
# BUILDER is the builder, and BUILD_RUN its run. In a workflow both are URLs.
set -eu

version=$1
commit=$2
sources=$3
repository=https://github.com/sqledge-ha/sqledge-ha
compiler=$(cd "$sources" && rustc --version)
lock=$(sha256sum "$sources/Cargo.lock" | cut -d ' ' -f 1)
subjects=$(sed 's/^\([0-9a-f]\{64\}\) [ *]\(.*\)$/    {"name": "\2", "digest": {"sha256": "\1"}},/' | sed '$ s/,$//')

cat <<END
{
  "_type": "https://in-toto.io/Statement/v1",
  "subject": [
$subjects
  ],
  "predicateType": "https://slsa.dev/provenance/v1",
  "predicate": {
    "buildDefinition": {
      "buildType": "$repository/blob/v$version/CONTRIBUTING.md#a-release",
      "externalParameters": {"target": "release", "version": "$version"},
      "internalParameters": {"compiler": "$compiler"},
      "resolvedDependencies": [
        {"uri": "git+$repository@refs/tags/v$version", "digest": {"gitCommit": "$commit"}},
        {"uri": "$repository/blob/v$version/Cargo.lock", "digest": {"sha256": "$lock"}}
      ]
    },
    "runDetails": {
      "builder": {"id": "${BUILDER:-$repository/blob/v$version/Makefile}"},
      "metadata": {"invocationId": "${BUILD_RUN:-by hand}"}
    }
  }
}
END
