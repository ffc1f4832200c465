package outbound

import (
	"net/netip"
	"strings"
	"testing"
)

func TestHosts(t *testing.T) {
	var all Hosts
	for _, text := range []string{"checks.example.com", "localhost:8443=127.0.0.0/8",
		"checks.internal=10.0.0.0/8, checks.internal=fd00::/8"} {
		if err := all.Set(text); err != nil {
			t.Fatal(err)
		}
	}
	const want = "checks.example.com,localhost:8443=127.0.0.0/8,checks.internal=10.0.0.0/8," +
		"checks.internal=fd00::/8"
	if all.String() != want {
		t.Errorf("got %s", all.String())
	}
	var again Hosts
	if err := again.Set(all.String()); err != nil || again.String() != want {
		t.Errorf("read again it is %s, %v", again.String(), err)
	}
	for _, text := range []string{"", "Checks.example.com", "https://checks.example.com",
		"checks.example.com/", "checks.example.com:0", "checks.example.com:65536", "checks.example.com:x",
		"[::1]:443", "checks.example.com=", "checks.example.com=10.0.0.1/8", "checks.example.com=10.0.0.1",
		"checks.example.com=::ffff:10.0.0.0/104", "*.example.com", "*", "checks.internal",
		"checks.example.com=10.0.0.0/8"} {
		before := all.String()
		if err := all.Set(text); err == nil {
			t.Errorf("%q became %s", text, all.String())
		}
		if all.String() != before {
			t.Errorf("%q left %s", text, all.String())
		}
	}
}

func TestAddresses(t *testing.T) {
	open := Host{Name: "checks.example.com", Port: 443}
	for _, text := range []string{"93.184.216.34", "8.8.8.8", "2606:4700::1111", "2001:4860:4860::8888",
		"::ffff:93.184.216.34", "100.128.0.1", "172.32.0.1", "192.0.1.1"} {
		if problem := open.refusal(netip.MustParseAddr(text)); problem != "" {
			t.Errorf("%s: %s", text, problem)
		}
	}
	for what, texts := range map[string][]string{
		"this host":       {"0.0.0.0", "0.1.2.3", "::"},
		"loopback":        {"127.0.0.1", "127.255.255.254", "::1"},
		"private":         {"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"},
		"carrier's":       {"100.64.0.1", "100.127.255.255"},
		"link-local":      {"169.254.169.254", "fe80::1", "fe80::1%eth0"},
		"site-local":      {"fec0::1"},
		"unique local":    {"fc00::1", "fd00:ec2::254"},
		"multicast":       {"224.0.0.1", "239.1.1.1", "ff02::1", "ff05::2"},
		"reserved":        {"240.0.0.1", "255.255.255.255", "192.0.0.8", "198.18.0.1"},
		"documentation":   {"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"},
		"IPv4 in IPv6":    {"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"},
		"IPv4 compatible": {"::127.0.0.1", "::10.0.0.1"},
		"NAT64":           {"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1"},
		"6to4":            {"2002:7f00:1::1", "2002:a9fe:a9fe::", "192.88.99.1"},
		"Teredo":          {"2001:0:4136:e378:8000:63bf:3fff:fdd2"},
	} {
		for _, text := range texts {
			at := netip.MustParseAddr(text)
			if problem := open.refusal(at); !strings.Contains(problem, open.Name+" is at "+at.String()) {
				t.Errorf("%s, %s: %q", what, text, problem)
			}
		}
	}
	inside := Host{Name: "checks.internal", Port: 443, Networks: []netip.Prefix{
		netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")}}
	for text, fits := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "fd00:1::5": true,
		"10.2.0.1": false, "8.8.8.8": false, "fd00:2::1": false, "127.0.0.1": false,
		"fd00:1::5%eth0": false} {
		if problem := inside.refusal(netip.MustParseAddr(text)); (problem == "") != fits {
			t.Errorf("%s: %q", text, problem)
		}
	}
}
