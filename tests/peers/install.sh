#!/usr/bin/env bash
# The foreign peers of tests/peers: Debian's packages (as root or by sudo), npm's into a cache.
# What cannot be installed is told, and its tests are skipped.
set -uo pipefail
CACHE=${DENC_PEERS:-$HOME/.cache/denc-peers}
mkdir -p "$CACHE"

GSTREAMER="gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good
  gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-nice
  gir1.2-gst-plugins-base-1.0 gir1.2-gst-plugins-bad-1.0 python3-gi"

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif sudo -n true 2>/dev/null; then sudo "$@"; else
    echo "neither root nor sudo without a password: please run: $*"
    return 1
  fi
}

debian() { # PACKAGE... -> those that are not here yet
  # shellcheck disable=SC2068
  dpkg -s $@ >/dev/null 2>&1 && return
  as_root apt-get update -qq &&
    as_root env DEBIAN_FRONTEND=noninteractive timeout 500 \
      apt-get install -y -qq --no-install-recommends $@ >"$CACHE/apt.log" 2>&1 ||
    { echo "not installed: $*"; tail -2 "$CACHE/apt.log"; }
}

if command -v apt-get >/dev/null; then
  # shellcheck disable=SC2086
  debian $GSTREAMER
  debian simple-whip-client
  debian janus
else
  echo "no apt-get here: GStreamer, simple-whip-client and janus are to be installed by hand"
fi

# Debian 12's simple-whip-client needs libsoup 2; libnice brings libsoup 3 in by its UPnP library,
# and the two refuse to share a process. webrtcbin does not use UPnP: an empty library in its place.
if [ ! -e "$CACHE/no-upnp/libgupnp-igd-1.0.so.4" ] && command -v cc >/dev/null; then
  mkdir -p "$CACHE/no-upnp"
  printf '%s\n' 'void *gupnp_simple_igd_thread_new(void) { return 0; }' \
    'unsigned long gupnp_simple_igd_get_type(void) { return 0; }' \
    'void gupnp_simple_igd_add_port(void) {}' 'void gupnp_simple_igd_remove_port_local(void) {}' |
    cc -xc -shared -fPIC -Wl,-soname,libgupnp-igd-1.0.so.4 \
      -o "$CACHE/no-upnp/libgupnp-igd-1.0.so.4" - || echo "no compiler that works: no whip-client"
fi

# Debian's simple-whip-server depends on Debian's own nodejs; its two files run on any.
if [ ! -e "$CACHE/simple-whip-server/src/server.js" ] && command -v apt-get >/dev/null; then
  (
    cd "$(mktemp -d)" && apt-get download -qq simple-whip-server 2>/dev/null &&
      dpkg -x simple-whip-server_*.deb . &&
      mkdir -p "$CACHE/simple-whip-server" &&
      rm -f usr/share/simple-whip-server/src/config.js && # a link into /etc
      cp -r usr/share/simple-whip-server/src "$CACHE/simple-whip-server/"
  ) || echo "not installed: simple-whip-server"
fi

if command -v npm >/dev/null; then
  [ -d "$CACHE/node_modules/node-datachannel" ] && [ -d "$CACHE/node_modules/websocket" ] ||
    timeout 300 npm install --silent --no-audit --no-fund --prefix "$CACHE" node-datachannel@0.33.4 \
      async@3 body-parser@1 colors@1 cors@2 debug@4 express@4 websocket@1 >"$CACHE/npm.log" 2>&1 ||
    { echo "not installed: node-datachannel, what simple-whip-server needs"; tail -2 "$CACHE/npm.log"; }
else
  echo "no npm here: node-datachannel and simple-whip-server are to be installed by hand"
fi
