#!/bin/sh
# Works the preloaded library in processes that a shell starts: five of them, the shell is the first.
# The order of the shuffled numbers depends on this file alone, and in the end they are in order again.
seq 60000 | sort -R --random-source="$0" | sort -n | sha256sum
