#!/usr/bin/env bash
# Installs denc on a Jetson (or any systemd machine) as a service:
#   sudo deploy/jetson/install.sh streamer      denc-stream at boot
#   sudo deploy/jetson/install.sh viewer        denc-view at boot
#   sudo deploy/jetson/install.sh remove        stop and remove both; /etc/denc and recordings stay
# Runs again without harm: the program is renewed, /etc/denc/*.yaml are kept.
set -euo pipefail

HERE=$(cd "$(dirname "$0")/../.." && pwd)
PREFIX=/opt/denc
SETTINGS=/etc/denc

die() { echo "install.sh: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || die "run it with sudo"
command -v systemctl >/dev/null || die "there is no systemd here"

case "${1:-}" in
  streamer) service=denc-stream settings=streamer.yaml ;;
  viewer) service=denc-view settings=viewer.yaml ;;
  remove)
    systemctl disable --now denc-stream.service denc-view.service 2>/dev/null || true
    rm -f /etc/systemd/system/denc-stream.service /etc/systemd/system/denc-view.service
    systemctl daemon-reload
    rm -rf "$PREFIX"
    echo "removed; $SETTINGS and /var/lib/denc are left as they are"
    exit 0
    ;;
  *) die "say what to install: streamer, viewer or remove" ;;
esac

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
  die "denc needs Python 3.10 or newer (JetPack 6 and 7 have it); PYTHON=/path/to/python chooses one"
"$python" -c 'import ensurepip' 2>/dev/null || die "Python's venv is missing: apt install python3-venv"

id denc >/dev/null 2>&1 || useradd --system --home-dir /var/lib/denc --shell /usr/sbin/nologin denc
for group in video render; do
  getent group "$group" >/dev/null || groupadd --system "$group"
  usermod -aG "$group" denc
done

# --system-site-packages: JetPack's TensorRT lives in the system's Python
install -d "$PREFIX" "$SETTINGS" "$PREFIX/docs"
[ -x "$PREFIX/.venv/bin/python" ] || "$python" -m venv --system-site-packages "$PREFIX/.venv"
"$PREFIX/.venv/bin/python" -m pip install --quiet --upgrade "$HERE"
install -m 644 "$HERE"/docs/*.md "$PREFIX/docs/"
install -m 644 "$HERE/LICENSE" "$PREFIX/"

if [ ! -e "$SETTINGS/$settings" ]; then
  install -m 640 -g denc "$HERE/configs/$settings" "$SETTINGS/$settings"
  fresh=yes
fi
install -m 644 "$HERE/deploy/jetson/$service.service" /etc/systemd/system/
systemctl daemon-reload
systemctl enable "$service.service"

if [ "${fresh:-no}" = yes ]; then
  echo "now write your settings into $SETTINGS/$settings, then: systemctl start $service"
else
  systemctl restart "$service.service"
  echo "$service runs again with $SETTINGS/$settings"
fi
echo "what it says: journalctl -fu $service"
