"user"
a=ice-ufrag:user
a=ice-pwd:pppppppppppppppppppppp
m=video 9 UDP/TLS/RTP/SAVPF 0
a=mid:0
a=candidate:1 1 udp 2130706431 192.168.1.7 51000 typ host
a=end-of-candidates
