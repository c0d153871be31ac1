# A stream for git fast-import: `commits` commits, each of which changes 4 of the 80 lines of one of
# 5 texts.
BEGIN {
    for (commit = 0; commit < commits; commit++) {
        print "commit refs/heads/main"
        print "committer A <a@example.org> " 1000000000 + 60 * commit " +0000"
        printf "data 5\n%05d\n", commit
        print "M 100644 inline folder" commit % 5 "/text\ndata <<end"
        for (line = 0; line < 80; line++) {
            changed = commit - (commit + 7 * line) % 100
            printf "%d: %x %x\n", line, line * 40503 % 65537, changed * 48271 % 65537 + 65537
        }
        print "end"
    }
}
