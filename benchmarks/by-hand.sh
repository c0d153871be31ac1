#!/usr/bin/env bash
# usage: by-hand.sh SETTINGS
#
# Makes a package as one would by hand: the same programs as `invoke build`, the same options, the
# same package. What it leaves out is what the difference pays for: it holds the source to nothing,
# checks nothing, knows nothing that is up to date, and keeps no logs. The order of compiling is
# ninja's own.

set -euo pipefail
. "$1" # by benchmarks/kit.py, out of what the pipeline has said and written
umask 022

mkdir -p "$work/tree" "$work/configure"
tar -xf "$archive" -C "$work/tree" --strip-components="$depth" "${members[@]}"
for change in ${patches[@]+"${patches[@]}"}; do
    patch --strip=1 --fuzz=0 --force --no-backup-if-mismatch -d "$work/tree" -i "$change"
done

cp "$kit/toolchain.cmake" "$work/configure/"
support # compiles what the toolchain adds to the library
"${configure[@]}"
"${compile[@]}"
DESTDIR=$work/stage "${install[@]}"

find "$work/stage" -type d -exec chmod "$folder_mode" {} +
find "$work/stage" -type f -exec chmod "$file_mode" {} +
chmod "$library_mode" "$work/stage$library"
find "$work/stage" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

cp -R "$kit/package" "$work/package"
mkdir "$work/package/tmp"
cd "$work/package"
HOME=$work/package "${rpmbuild[@]}"
