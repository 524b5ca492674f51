# shellcheck shell=bash
# Runs a server and ends it. Arguments: FOLDER SIGNAL SERVER...
# Standard input is a pipe whose other end the test process holds: its end of file is a dropped server or a test
# process that is gone, however it went (a panic, an abort, kill -9). Then SIGNAL ends the server, and its folder goes.
# The server in turn asked the kernel to be killed with this script.
# A test that stops the server makes a file `stopped` in its folder first. That becomes `down` when the server has ended;
# when it is gone, the server starts again, without the word in a file `without`.
folder=$1 signal=$2
shift 2
exec 3<&0
cat <&3 >/dev/null &
pipe=$!
code=0
while :; do
    "$@" >>"$folder/log" 2>&1 </dev/null 3<&- &
    server=$!
    wait -n "$server" "$pipe"
    if ! kill -0 "$pipe" 2>/dev/null; then
        {
            kill -s "$signal" "$server"
            for _ in {1..400}; do
                kill -0 "$server" || break
                sleep 0.05
            done
            kill -s KILL "$server"
            wait "$server"
        } 2>/dev/null
        break
    fi
    if [ ! -e "$folder/stopped" ]; then
        kill "$pipe"
        echo "a test server ended by itself; the end of its log:" >&2
        tail -n 40 "$folder/log" >&2
        code=1
        break
    fi
    mv "$folder/stopped" "$folder/down"
    while [ -e "$folder/down" ] && kill -0 "$pipe" 2>/dev/null; do sleep 0.02; done
    kill -0 "$pipe" 2>/dev/null || break
    for word; do
        shift
        [ "$word" = "$(cat "$folder/without" 2>/dev/null)" ] || set -- "$@" "$word"
    done
done
rm -rf -- "$folder"
exit "$code"
