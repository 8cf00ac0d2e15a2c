#!/bin/sh
# Runs a program in a guest under emulation: Debian's kernel, cgroup v2 alone, root, no network, nothing on disk.
# For what a machine with cgroup v1 cannot show. Needs qemu-system-x86, busybox-static and binutils (scripts/setup.sh
# test); the kernel is downloaded as a package once and not installed.
# Usage: guest.sh --prepare                              fetches the kernel, nothing else
#        guest.sh PROGRAM [FILE...] -- [ARGUMENT...]    FILEs are in the guest where they are here. What the program
# prints is printed; the exit status is its own, or 125 when the guest did not get that far.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
kernel_package=${ROADSTEAD_GUEST_KERNEL:-linux-image-cloud-amd64}
patience=${ROADSTEAD_GUEST_SECONDS:-420}
cache=$here/../target/guest
if [ "$(uname -m)" != x86_64 ]; then
    echo "guest.sh knows x86_64 machines only" >&2
    exit 125
fi
for program in qemu-system-x86_64 busybox dpkg-deb; do
    command -v "$program" >/dev/null || { echo "$program is missing: run scripts/setup.sh test" >&2; exit 125; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$here/image-lib.sh"

# kernel: $cache/vmlinuz and $cache/modules, from the package that the current kernel package depends on.
kernel() {
    [ -f "$cache/vmlinuz" ] && return
    package=$(apt-cache depends "$kernel_package" | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -1)
    [ -n "$package" ] || { apt-get update -qq; package=$(apt-cache depends "$kernel_package" | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -1); }
    fetch "${package:?no kernel package: is deb.debian.org in the sources?}"
    mkdir "$work/kernel"
    dpkg-deb -x "$work"/debs/linux-image-*.deb "$work/kernel"
    mkdir -p "$cache"
    rm -rf "$cache/modules"
    mkdir "$cache/modules"
    for module in fs/overlayfs/overlay drivers/block/brd; do
        find "$work/kernel" -path "*/kernel/$module.ko*" -exec cp {} "$cache/modules/" \;
    done
    cp "$work"/kernel/boot/vmlinuz-* "$cache/vmlinuz.part"
    mv "$cache/vmlinuz.part" "$cache/vmlinuz"
}

# put FILE TARGET: without symbols, with the libraries it needs.
put() {
    mkdir -p "$root$(dirname "$2")"
    strip -o "$root$2" "$1" 2>/dev/null || cp "$1" "$root$2"
    chmod 0755 "$root$2"
    for library in $(ldd "$1" 2>/dev/null | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p'); do
        [ -e "$root$library" ] || { mkdir -p "$root$(dirname "$library")"; cp -L "$library" "$root$library"; }
    done
}

kernel
[ "${1:-}" != --prepare ] || exit 0
root=$work/root
mkdir -p "$root/bin" "$root/new"
program=$(realpath "${1:?usage: guest.sh PROGRAM [FILE...] -- [ARGUMENT...]}")
put "$program" /program
shift
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    put "$1" "$1"
    shift
done
[ $# -eq 0 ] || shift
for argument; do
    printf '%s\n' "$argument" >> "$root/arguments"
done
cp -L "$(command -v busybox)" "$root/bin/busybox"
cp -r "$cache/modules" "$root/modules"
# The first root cannot be pivoted away from, as containers do; so there is a second one.
cat > "$root/init" <<'EOF'
#!/bin/busybox sh
/bin/busybox mount -t tmpfs -o mode=755 new /new
for entry in /*; do
    case $entry in /new|/init) ;; *) /bin/busybox cp -a "$entry" /new/ ;; esac
done
exec /new/bin/busybox switch_root /new /second
EOF
cat > "$root/second" <<'EOF'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin RUST_BACKTRACE=0
mkdir -p /proc /sys /dev /tmp /run /etc /root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
# Not a mount of its own: what was put in may lie below it.
chmod 1777 /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
for module in /modules/*; do case $module in */brd.*) insmod "$module" rd_nr=2 rd_size=65536 ;; *) insmod "$module" ;; esac; done
mkswap /dev/ram0 >/dev/null && swapon /dev/ram0
# In a group of its own, as everything but the kernel's threads is on a machine with a service manager.
mkdir /sys/fs/cgroup/rest
for pid in $(cat /sys/fs/cgroup/cgroup.procs); do echo "$pid" > /sys/fs/cgroup/rest/cgroup.procs 2>/dev/null; done
set --
while read -r argument; do set -- "$@" "$argument"; done < /arguments
/program "$@"
echo "the guest's program ended with $?"
sync
poweroff -f
EOF
chmod 0755 "$root/init" "$root/second"
[ -f "$root/arguments" ] || : > "$root/arguments"
(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) > "$work/initramfs"
timeout "$patience" qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -machine q35 \
    -accel "${ROADSTEAD_GUEST_ACCEL:-tcg,thread=multi}" -cpu max -smp 2 -m 1536 -serial stdio -monitor none \
    -kernel "$cache/vmlinuz" -initrd "$work/initramfs" \
    -append "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off cgroup_no_v1=all swapaccount=1 random.trust_cpu=1" \
    < /dev/null 2>&1 | tr -d '\r' | tee "$work/output"
status=$(sed -n "s/^the guest's program ended with \([0-9]*\)$/\1/p" "$work/output" | tail -1)
exit "${status:-125}"
