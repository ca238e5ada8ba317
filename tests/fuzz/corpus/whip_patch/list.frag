W/"x", "user", *
a=ice-ufrag:other
a=candidate:1 1 udp 1 ::1 9 typ host
