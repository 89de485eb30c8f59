#!/bin/bash
# First process of a lab node. The kernel's root is the host's file system, read-only, through hostfs. Builds the node's
# own root from it (host directories bound in, everything a node writes to is local to it) and continues there with
# node-main.sh. Starting a program costs about 0.1 s in a node, so there are as few as possible.
# The kernel command line gives labnode= (the node's directory on the host; /lab inside the node).
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
modprobe -d "${labnode:?}/modules" -a configfs ocfs2_nodemanager ocfs2_stack_o2cb ocfs2
mount -t hostfs -o "$labnode/root" none /mnt
mount -a -T "$labnode/fstab" || echo "node-init: some mounts failed"
exec chroot /mnt /bin/bash "$(<"$labnode/main")"
echo "node-init: cannot enter the node's root"
