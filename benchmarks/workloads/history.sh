#!/bin/sh
# A repository of git: texts that change from commit to commit are imported, read, and packed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HOME="$folder" GIT_DIR="$folder/git" GIT_CONFIG_NOSYSTEM=1

git init --quiet --bare --initial-branch main "$GIT_DIR"
awk -v commits="$1" -f "${0%.sh}.awk" | git fast-import --quiet
{
    git log --patch --stat main
    for number in 0 1 2 3 4; do
        git blame main -- "folder$number/text"
    done
    git -c pack.threads=1 repack -a -d -f --quiet
    git rev-list --objects main
    git archive main
} >"$folder/output"
git hash-object "$folder/output"
