#!/usr/bin/env bash
# The first process of current-engine.sh's namespaces: makes the root file system
# theirs, starts the engine in it, and stays, as whoever is first has to take note of
# the death of the others. It is killed to end all of them.
#
#   namespace.sh ROOT WORK STORE
set -euo pipefail

root=$1 work=$2 store=$3

# Its number outside, before /proc is that of the new namespace.
read -r outside _ </proc/self/stat
echo "$outside" >"$work/pid.new"

hostname tarot-current-engine
mount --make-rprivate /
mount --bind "$root" "$root"
# At the same path as outside: a container's folders are named by those who see the
# outside. It holds the engine's socket, and what tests mount.
mkdir -p "$root$work" "$root/var/lib/docker" "$root/var/lib/containerd" "$work/data" "$work/containerd"
mount --bind "$work" "$root$work"
# At its usual place.
mount --bind "$work/data" "$root/var/lib/docker"
mount --bind "$work/containerd" "$root/var/lib/containerd"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"

# As the namespace sees them: its own group is the top.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
  # A group with processes can't share its controllers out.
  mkdir -p "$root/sys/fs/cgroup/engine"
  while read -r process; do
    echo "$process" >"$root/sys/fs/cgroup/engine/cgroup.procs" 2>/dev/null || true
  done <"$root/sys/fs/cgroup/cgroup.procs"
  read -r controllers <"$root/sys/fs/cgroup/cgroup.controllers"
  for controller in $controllers; do echo "+$controller" >"$root/sys/fs/cgroup/cgroup.subtree_control" || true; done
else
  mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
  while read -r controller _ _ enabled; do
    if [ "$enabled" != 1 ] || ! [ -d "/sys/fs/cgroup/$controller" ]; then continue; fi
    mkdir "$root/sys/fs/cgroup/$controller"
    mount -t cgroup -o "$controller" cgroup "$root/sys/fs/cgroup/$controller"
  done </proc/cgroups
fi

mkdir -p "$root/.outside"
cd "$root"
pivot_root . .outside
umount --lazy /.outside
cd /
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
unset TMPDIR DOCKER_HOST DOCKER_CONTEXT
ip link set lo up

arguments=(--host "unix://$work/docker.sock" --pidfile "$work/docker.pid")
case $store in
  containerd) echo '{"features": {"containerd-snapshotter": true}}' >/run/daemon.json ;;
  *) echo '{"features": {"containerd-snapshotter": false}, "storage-driver": "overlay2"}' >/run/daemon.json ;;
esac
# dockerd starts a containerd of its own where none runs.
if [ "${ENGINE_CONTAINERD:-}" = system ]; then
  containerd >"$work/containerd.log" 2>&1 &
  until [ -S /run/containerd/containerd.sock ]; do sleep 0.1; done
fi
mv "$work/pid.new" "$work/pid"
dockerd --config-file /run/daemon.json "${arguments[@]}" &
wait $! || true
# What it has left behind ends with this.
