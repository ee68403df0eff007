#!/bin/sh
# Who may ask tarot-prod: nginx.allowFrom. Written by `make firewall`, removed by `make firewall-remove`.
set -e
iptables -w -N DOCKER-USER 2>/dev/null || :
iptables-restore -w --noflush <<'EOF'
*filter
:TAROT-ed9380c519f3 - [0:0]
-A TAROT-ed9380c519f3 -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment tarot:tarot-prod -j RETURN
-A TAROT-ed9380c519f3 -i lo -m comment --comment tarot:tarot-prod -j RETURN
-A TAROT-ed9380c519f3 -s 10.20.0.0/16 -m comment --comment tarot:tarot-prod -j RETURN
-A TAROT-ed9380c519f3 -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctorigdstport 80 --ctdir ORIGINAL -m comment --comment tarot:tarot-prod -j DROP
-A TAROT-ed9380c519f3 -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctorigdstport 443 --ctdir ORIGINAL -m comment --comment tarot:tarot-prod -j DROP
COMMIT
EOF
iptables -w -C DOCKER-USER -p tcp -m conntrack --ctstate DNAT -m comment --comment tarot:tarot-prod -j TAROT-ed9380c519f3 2>/dev/null || iptables -w -I DOCKER-USER 1 -p tcp -m conntrack --ctstate DNAT -m comment --comment tarot:tarot-prod -j TAROT-ed9380c519f3
iptables -w -C INPUT -p tcp -m comment --comment tarot:tarot-prod -j TAROT-ed9380c519f3 2>/dev/null || iptables -w -I INPUT 1 -p tcp -m comment --comment tarot:tarot-prod -j TAROT-ed9380c519f3
ip6tables-restore -w --noflush <<'EOF'
*filter
:TAROT-ed9380c519f3 - [0:0]
-A TAROT-ed9380c519f3 -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment tarot:tarot-prod -j RETURN
-A TAROT-ed9380c519f3 -i lo -m comment --comment tarot:tarot-prod -j RETURN
-A TAROT-ed9380c519f3 -s 2001:db8:1::/48 -m comment --comment tarot:tarot-prod -j RETURN
-A TAROT-ed9380c519f3 -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctorigdstport 80 --ctdir ORIGINAL -m comment --comment tarot:tarot-prod -j DROP
-A TAROT-ed9380c519f3 -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctorigdstport 443 --ctdir ORIGINAL -m comment --comment tarot:tarot-prod -j DROP
COMMIT
EOF
ip6tables -w -C INPUT -p tcp -m comment --comment tarot:tarot-prod -j TAROT-ed9380c519f3 2>/dev/null || ip6tables -w -I INPUT 1 -p tcp -m comment --comment tarot:tarot-prod -j TAROT-ed9380c519f3
