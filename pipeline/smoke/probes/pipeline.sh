#!/bin/sh
# Uses the preloaded library in five processes: the shell, and the programs that it starts.
# The order of the shuffled numbers depends on this file alone, and in the end they are sorted.
seq 60000 | sort -R --random-source="$0" | sort -n | sha256sum
