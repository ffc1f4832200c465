package forge

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// InstallationID is the id of an App's installation on the organisation: the App's id plus 500000.
func InstallationID(appID int64) int64 { return appID + 500000 }

// SetAppKey registers an App's public key. Its holder gets installation tokens as on GitHub: with
// an RS256 JWT, issued by the App's id for at most ten minutes. They last an hour of the forge's
// clock.
func (f *Forge) SetAppKey(slug string, key *rsa.PublicKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.apps[slug] == nil {
		panic("forge: no app " + slug)
	}
	f.apps[slug].key = key
}

// appOf finds the App that signed the bearer JWT of a call, or says what is wrong with it.
func (f *Forge) appOf(c *call) (*app, string) {
	token := strings.TrimPrefix(c.Header.Get("Authorization"), "Bearer ")
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, "A JSON web token could not be decoded"
	}
	var claims struct {
		Iss      json.RawMessage
		Iat, Exp float64
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return nil, "A JSON web token could not be decoded"
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, "A JSON web token could not be decoded"
	}
	now := float64(f.now().Unix())
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	for _, a := range f.apps {
		if strings.Trim(string(claims.Iss), `"`) != fmt.Sprint(a.id) { // a number or a string
			continue
		}
		switch {
		case a.key == nil || rsa.VerifyPKCS1v15(a.key, crypto.SHA256, sum[:], signature) != nil:
			return nil, "A JSON web token could not be decoded"
		case claims.Iat > now:
			return nil, "'Issued at' claim ('iat') must be an Integer representing the time " +
				"that the assertion was issued"
		case claims.Exp <= now:
			return nil, "'Expiration time' claim ('exp') must be a numeric value representing " +
				"the future time at which the assertion expires"
		case claims.Exp > now+600:
			return nil, "'Expiration time' claim ('exp') is too far in the future"
		}
		return a, ""
	}
	return nil, "Integration not found"
}

// onApp serves operations that an App calls as itself, with its JWT.
func (f *Forge) onApp(handle func(*call, *app) answer) func(*call) answer {
	return func(c *call) answer {
		a, problem := f.appOf(c)
		if a == nil {
			return refuse(http.StatusUnauthorized, problem)
		}
		return handle(c, a)
	}
}

func (f *Forge) getApp(_ *call, a *app) answer { return ok(f.appJSON(a)) }

func (f *Forge) getInstallation(_ *call, a *app) answer {
	return ok(object{"id": InstallationID(a.id), "app_id": a.id, "app_slug": a.slug,
		"account":     object{"login": f.opts.Owner, "id": organizationID, "type": "Organization"},
		"target_type": "Organization", "repository_selection": "all", "permissions": object{},
		"access_tokens_url": fmt.Sprintf("%s/app/installations/%d/access_tokens", f.URL,
			InstallationID(a.id))})
}

func (f *Forge) createInstallationToken(c *call, a *app) answer {
	if c.number("installation_id") != InstallationID(a.id) {
		return notFound()
	}
	expires := f.now().Add(time.Hour)
	token := fmt.Sprintf("forge-installation-token-%s-%d", a.slug, f.nextID())
	f.tokens[token] = identity{user: a.bot, app: a, expires: expires}
	return created(object{"token": token, "expires_at": stamp(expires), "permissions": a.rights,
		"repository_selection": "all"})
}
