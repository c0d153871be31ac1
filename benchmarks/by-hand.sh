#!/usr/bin/env bash
# usage: by-hand.sh SETTINGS
#
# Makes a package by hand: the same programs as `invoke build`, the same options, the same package.
# What it leaves out is what the difference pays for: it does not verify the source, checks nothing,
# does not know what is up to date, and keeps no logs.

set -euo pipefail
. "$1" # written by benchmarks/by_hand.py from the pipeline's logs
umask 022

mkdir -p "$work/tree" "$work/configure"
tar -xf "$archive" -C "$work/tree" --strip-components="$depth" "${members[@]}"
for change in ${patches[@]+"${patches[@]}"}; do
    patch --strip=1 --fuzz=0 --force --no-backup-if-mismatch -d "$work/tree" -i "$change"
done

cp "$input/configure/"* "$work/configure/"
support # compiles what the toolchain adds to the library
"${configure[@]}"
"${compile[@]}"
DESTDIR=$work/stage "${install[@]}"

find "$work/stage" -type d -exec chmod "$folder_mode" {} +
find "$work/stage" -type f -exec chmod "$file_mode" {} +
chmod "$library_mode" "$work/stage$library"
cp "$work/tree/LICENSE" "$work/LICENSE"
chmod "$file_mode" "$work/LICENSE"
find "$work/stage" "$work/LICENSE" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

cp -R "$input/package" "$work/package"
mkdir "$work/package/tmp"
cd "$work/package"
HOME=$work/package "${rpmbuild[@]}"
