# What the image scripts share: files of Debian packages, and when to do nothing. Sourced, not run.

# What an output was made from; the same inputs need no second build, and no network.
inputs() {
    cat "$here"/image-lib.sh "$here"/oci_image.py "$0" | sha256sum | cut -d' ' -f1
}

# Ends the script when $output is there and was made by these scripts.
reuse() {
    if [ -f "$output" ] && [ "$(cat "$output.inputs" 2>/dev/null)" = "$(inputs)" ]; then
        echo "$output is up to date"
        exit 0
    fi
}

# fetch PACKAGE...: downloads packages into $work/debs with what this machine's apt is set up to use. Lists that are
# missing, or older than the archive, are brought up to date once.
fetch() {
    mkdir -p "$work/debs"
    if ! download "$@" 2>"$work/apt.log"; then
        apt-get update -qq
        download "$@"
    fi
}

download() {
    (cd "$work/debs" && apt-get -qq -o APT::Sandbox::User=root download "$@" >/dev/null)
}

# libraries PACKAGE: the library packages it needs, itself excluded, each once.
libraries() {
    seen=" $1 "
    queue=$1
    while [ -n "$queue" ]; do
        set -- $queue
        package=$1
        shift
        queue=$*
        for dependency in $(apt-cache depends --important "$package" | sed -n 's/^ *Depends: \([a-z0-9.+-]*\)$/\1/p'); do
            case $dependency in lib*|zlib*) ;; *) continue ;; esac
            case $seen in *" $dependency "*) continue ;; esac
            seen="$seen$dependency "
            queue="$queue $dependency"
            echo "$dependency"
        done
    done
}

# unpack: lays the files of every fetched package out in $root.
unpack() {
    for deb in "$work"/debs/*.deb; do
        dpkg-deb -x "$deb" "$root"
    done
}

# skeleton: what every image here has.
skeleton() {
    umask 022
    mkdir -p "$root"/etc "$root"/root "$root"/proc "$root"/sys "$root"/dev "$root"/run "$root"/tmp "$root"/var/tmp
    chmod 0700 "$root"/root
    chmod 1777 "$root"/tmp "$root"/var/tmp
    cat > "$root"/etc/passwd <<'EOF'
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/:/bin/false
EOF
    cat > "$root"/etc/group <<'EOF'
root:x:0:
daemon:x:1:
www-data:x:33:
nogroup:x:65534:
EOF
    echo 'hosts: files dns' > "$root"/etc/nsswitch.conf
}

# shell: a shell and the usual tools, from one static binary at /bin/busybox.
shell() {
    for applet in $("$root"/bin/busybox --list); do
        [ -e "$root/bin/$applet" ] || ln -s /bin/busybox "$root/bin/$applet"
    done
}

# finish NAME CONFIG-JSON: writes the archive in one step.
finish() {
    python3 "$here"/oci_image.py build --root "$root" --name "$1" --config "$2" \
        --architecture "$(dpkg --print-architecture)" --output "$output.part"
    mv "$output.part" "$output"
    inputs > "$output.inputs"
    echo "$output: $1, $(du -h "$output" | cut -f1)"
}
