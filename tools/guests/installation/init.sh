#!/bin/busybox sh
# /init of the RAM disk: loads what the kernel needs for its root, mounts that, and starts the init that is there.
# Of the kernel's command line it knows root=, rootfstype=, ro, rw and init=.
b=/bin/busybox
$b mount -t devtmpfs dev /dev
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys

rescue() {
  echo "init: $1; here is a shell, its exit is a restart"
  $b sh
  $b reboot -f
}

while read -r module; do
  $b insmod "/modules/$module.ko" || rescue "cannot load $module"
done </modules/order

root= type=ext4 mode=ro init=/sbin/init
for word in $($b cat /proc/cmdline); do
  case $word in
    root=*) root=${word#root=} ;;
    rootfstype=*) type=${word#rootfstype=} ;;
    init=*) init=${word#init=} ;;
    ro | rw) mode=$word ;;
  esac
done

tries=0
until [ -b "$root" ]; do
  tries=$((tries + 1))
  [ $tries -le 100 ] || rescue "there is no disk '$root' (root=)"
  $b sleep 0.1
done
$b mount -t "$type" -o "$mode" "$root" /root || rescue "cannot mount $root"
for tree in dev proc sys; do $b mount -o move /$tree /root/$tree; done
exec $b switch_root /root "$init"
