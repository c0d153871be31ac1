#!/bin/bash
# The steps of the test in the virtual machine: prints "# STEP", and commands with their output.
# shellcheck disable=SC2016 # commands are expanded by the shell that runs them
exec >/dev/ttyS1 2>&1
stty -F /dev/ttyS1 -opost
folder=/usr/local/nginx-dep
link=$folder/lib64/libmimalloc.so

step() { printf '# %s\n' "$*"; }

run() {
    printf '$ %s\n' "$*"
    bash -c "$*" || echo "exit code $?"
}

restart() {
    run systemctl restart nginx
    run mimalloc-custom status
}

request() { exec 3<>/dev/tcp/127.0.0.1/80 && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && head -n 1 <&3; }
export -f request

step installed
run getenforce
run rpm -i --nodeps /root/el9/*.rpm
run ls -Zd "$folder" "$folder/lib64" "$folder"/lib64/libmimalloc.so* /usr/bin/mimalloc-custom
run restorecon -Rnv "$folder" /usr/bin/mimalloc-custom /usr/lib/systemd/system/nginx.service.d
run systemctl daemon-reload
restart
run ps -C nginx -o label,comm
run "grep -h r-xp.*libmimalloc /proc/\$(cat /run/nginx.pid)/maps"

for label in usr_t user_home_t tmp_t; do
    step "$label"
    run "chcon -t $label \$(readlink -f $link)"
    restart
    run request
    run 'ausearch --input-logs -m AVC -ts today -c nginx | tail -n 1'
done

step restored
run restorecon -Rv "$folder"
restart

step memory
mkdir -p /run/systemd/system/nginx.service.d
printf '[Service]\nMemoryMax=24M\n' >/run/systemd/system/nginx.service.d/memory.conf
run systemctl daemon-reload
restart
run 'for i in $(seq 100); do request; done | sort | uniq -c'
run 'grep . /sys/fs/cgroup/system.slice/nginx.service/memory.{max,current,events}'
rm /run/systemd/system/nginx.service.d/memory.conf

step upgraded
run rpm -U --nodeps --oldpackage /root/el8/*.rpm
run systemctl daemon-reload
run mimalloc-custom status

step restarted
restart
run ls -Z "$folder"/lib64/libmimalloc.so*

step moved
mkdir /srv/big
run "mv $folder /srv/big && ln -s /srv/big/nginx-dep $folder"
run restorecon -R /srv/big
restart

step equal
echo "/srv/big/nginx-dep $folder" >>/etc/selinux/default/contexts/files/file_contexts.subs
run restorecon -R /srv/big
restart

step end
