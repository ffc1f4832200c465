// Package outbound calls hosts that policies name: only those that whoever runs the program listed, at
// addresses that are theirs to have. A policy comes from a repository, so what it names is data.
package outbound

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Host is one that may be called. It is a value of a flag, in the form HOST, HOST:PORT, HOST=CIDR or
// HOST:PORT=CIDR.
type Host struct {
	Name string
	Port int // 443 where it is not said
	// Networks are where the host may be. With none it must have a public address; with some it must
	// be in one of them.
	Networks []netip.Prefix
}

var hostPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)

const httpsPort = 443

// ParseHost reads one host.
func ParseHost(text string) (h Host, err error) {
	refuse := func() (Host, error) {
		return Host{}, fmt.Errorf("%q: write a host as checks.example.com, checks.example.com:8443 or "+
			"checks.internal=10.0.0.0/8", text)
	}
	address, network, bounded := strings.Cut(text, "=")
	name, port, ported := strings.Cut(address, ":")
	if h = (Host{Name: name, Port: httpsPort}); !hostPattern.MatchString(name) {
		return refuse()
	}
	if ported {
		if h.Port, err = strconv.Atoi(port); err != nil || h.Port < 1 || h.Port > 65535 {
			return refuse()
		}
	}
	if bounded {
		prefix, err := netip.ParsePrefix(network)
		if err != nil || prefix != prefix.Masked() || prefix.Addr().Is4In6() {
			return refuse()
		}
		h.Networks = []netip.Prefix{prefix}
	}
	return h, nil
}

func (h Host) at() string { return fmt.Sprintf("%s:%d", h.Name, h.Port) }

// Hosts are those that may be called; none: nobody. It is a flag that can be given several times, or
// several hosts with commas between them. A host that stands in it with several networks may be in
// each of them.
type Hosts []Host

// Set adds hosts.
func (all *Hosts) Set(text string) error {
	for one := range strings.SplitSeq(text, ",") {
		h, err := ParseHost(strings.TrimSpace(one))
		if err != nil {
			return err
		}
		same := func(other Host) bool { return other.at() == h.at() }
		i := slices.IndexFunc(*all, same)
		switch {
		case i < 0:
			*all = append(*all, h)
		case len((*all)[i].Networks) == 0 || len(h.Networks) == 0:
			return fmt.Errorf("%q: the host stands there with a network and without one", one)
		default:
			(*all)[i].Networks = append((*all)[i].Networks, h.Networks...)
		}
	}
	return nil
}

// String is what Set reads.
func (all *Hosts) String() string {
	var texts []string
	for _, h := range *all {
		text := h.Name
		if h.Port != httpsPort {
			text = h.at()
		}
		if len(h.Networks) == 0 {
			texts = append(texts, text)
		}
		for _, n := range h.Networks {
			texts = append(texts, text+"="+n.String())
		}
	}
	return strings.Join(texts, ",")
}

// Type is the word for the flag's value.
func (all *Hosts) Type() string { return "host" }

// Find is the host that is called at an address as net/http has it, HOST:PORT.
func (all Hosts) Find(address string) (Host, bool) {
	i := slices.IndexFunc(all, func(h Host) bool { return h.at() == address })
	if i < 0 {
		return Host{}, false
	}
	return all[i], true
}

// refusal tells why a host may not be called at an address that its name has come to; empty when it
// may (R90).
func (h Host) refusal(address netip.Addr) string {
	switch {
	case address.Zone() != "":
		return fmt.Sprintf("%s is at %s, which is on this machine's own network", h.Name, address)
	case len(h.Networks) > 0:
		in := func(n netip.Prefix) bool { return n.Contains(address.Unmap()) }
		if !slices.ContainsFunc(h.Networks, in) {
			return fmt.Sprintf("%s is at %s, which is in none of its networks", h.Name, address)
		}
	case !public(address.Unmap()):
		return fmt.Sprintf("%s is at %s, which is no public address; where that is meant, list it with "+
			"its network, as in %s=%s", h.Name, address, h.Name, netip.PrefixFrom(address.Unmap(),
			address.Unmap().BitLen()))
	}
	return ""
}

// public tells whether an address is one of the Internet's. Of IPv6 that is 2000::/3 alone, which
// leaves out loopback, local and unique local addresses, multicast, and those with one of IPv4 in them
// (::/96, 64:ff9b::/96, 64:ff9b:1::/48).
// https://www.iana.org/assignments/iana-ipv4-special-registry
// https://www.iana.org/assignments/iana-ipv6-special-registry
func public(address netip.Addr) bool {
	if address.Is6() && !internet6.Contains(address) {
		return false
	}
	return !slices.ContainsFunc(special, func(n netip.Prefix) bool { return n.Contains(address) })
}

var internet6 = netip.MustParsePrefix("2000::/3")

var special = func() (all []netip.Prefix) {
	for _, text := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
		"2001::/23", // Teredo is in it
		"2001:db8::/32",
		"2002::/16", // 6to4
		"3fff::/20",
	} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}()
