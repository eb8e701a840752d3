package identity

import (
	"slices"
	"strings"
)

// Preset is a well-known application's login, in the words of a login block.
// It is a beginning, for the application as it comes: what was changed in its
// settings is to be changed here too, and trying it tells.
type Preset struct {
	// Name is what one types; Title what the application is called.
	Name, Title string
	Words       Words
	// Source is the file of the application's own that the words rest on.
	Source string
}

// Presets are all of them, in the order of their titles.
func Presets() []Preset { return slices.Clone(presets) }

// PresetNamed returns the preset of a name.
func PresetNamed(name string) (Preset, bool) {
	i := slices.IndexFunc(presets, func(p Preset) bool { return p.Name == strings.ToLower(name) })
	if i < 0 {
		return Preset{}, false
	}
	return presets[i], true
}

// Under are the words for an application that stands below a path ("/wiki"),
// as the gate sees its requests.
func (w Words) Under(prefix string) Words {
	prefix = strings.TrimSuffix(prefix, "/")
	if prefix == "" {
		return w
	}
	below := func(path string) string {
		if strings.HasPrefix(path, "/") {
			return prefix + path
		}
		return path
	}
	w.Path, w.Logout, w.Whoami.Path = below(w.Path), below(w.Logout), below(w.Whoami.Path)
	for _, list := range []*[]string{&w.Public, &w.Second} {
		*list = slices.Clone(*list)
		for i, path := range *list {
			(*list)[i] = below(path)
		}
	}
	rules := w.Success
	w.Success = nil
	for _, s := range rules {
		s.Args = slices.Clone(s.Args)
		if s.Kind == "page" || s.Kind == "location" {
			for i := range s.Args {
				s.Args[i] = below(s.Args[i])
			}
		}
		w.Success = append(w.Success, s)
	}
	return w
}

func success(kind string, args ...string) []Success { return []Success{{kind, args}} }

// presets rest on the applications' own sources, named in each. What is left
// out is found out by the watcher.
var presets = []Preset{
	{
		Name: "adminer", Title: "Adminer (MySQL)",
		// A wrong password and a right one are answered alike; the page after
		// it tells (tried). The address names the kind of database.
		Words: Words{
			Path: "/adminer.php", User: "auth[username]", Session: []string{"adminer_sid", "adminer_permanent"},
			Success: success("page", "/adminer.php?server=&username={user}"),
		},
		Source: "vrana/adminer adminer/include/auth.inc.php",
	},
	{
		Name: "adminer-postgresql", Title: "Adminer (PostgreSQL)",
		Words: Words{
			Path: "/adminer.php", User: "auth[username]", Session: []string{"adminer_sid", "adminer_permanent"},
			Success: success("page", "/adminer.php?pgsql=&username={user}"),
		},
		Source: "vrana/adminer adminer/include/auth.inc.php",
	},
	{
		Name: "adminer-sqlite", Title: "Adminer (SQLite)",
		Words: Words{
			Path: "/adminer.php", User: "auth[username]", Session: []string{"adminer_sid", "adminer_permanent"},
			Success: success("page", "/adminer.php?sqlite=&username={user}"),
		},
		Source: "vrana/adminer adminer/include/auth.inc.php",
	},
	{
		Name: "bookstack", Title: "BookStack",
		Words: Words{
			Path: "/login", User: "email", Session: []string{"bookstack_session", "remember_*"}, Logout: "/logout",
			Second: []string{"/mfa/verify", "/mfa/totp/verify", "/mfa/backup_codes/verify"},
		},
		Source: "BookStackApp/BookStack app/Access/Controllers (Login, Mfa, MfaTotp, MfaBackupCodes), app/Exceptions/StoppedAuthenticationException.php",
	},
	{
		Name: "dokuwiki", Title: "DokuWiki",
		// Everything is posted to one path; a wrong password clears the cookie
		// (tried).
		Words: Words{
			Path: "/doku.php", User: "u", Session: []string{"DW*"}, Success: success("cookie", "DW*"), Logout: "/doku.php?do=logout",
		},
		Source: "dokuwiki/dokuwiki inc/auth.php",
	},
	{
		Name: "forgejo", Title: "Forgejo",
		// As Gitea, from which it comes.
		Words: Words{
			Path: "/user/login", User: "user_name", Success: success("page", "/user/settings"), Logout: "/user/logout",
			Second: []string{"/user/two_factor", "/user/two_factor/scratch", "/user/webauthn", "/user/webauthn/assertion"},
		},
		Source: "forgejo/forgejo routers/web/auth/auth.go",
	},
	{
		Name: "gitea", Title: "Gitea",
		// A redirect is no proof: a form with a wrong token is led to the start
		// page too, whatever the password. A key answers by script.
		Words: Words{
			Path: "/user/login", User: "user_name", Success: success("page", "/user/settings"), Logout: "/user/logout",
			Second: []string{"/user/two_factor", "/user/two_factor/scratch", "/user/webauthn", "/user/webauthn/assertion"},
		},
		Source: "go-gitea/gitea routers/web/auth/auth.go, 2fa.go, routers/web/web.go",
	},
	{
		Name: "grafana", Title: "Grafana",
		// grafana_session_expiry is read by a script and is no session.
		Words: Words{
			Path: "/login", User: "user", Session: []string{"grafana_session"}, Success: success("status", "200"),
			Whoami: Whoami{"/api/user", "login"}, Logout: "/logout",
		},
		Source: "grafana/grafana pkg/api/login.go",
	},
	{
		Name: "immich", Title: "Immich",
		Words: Words{
			Path: "/api/auth/login", User: "email", Session: []string{"immich_access_token"},
			Whoami: Whoami{"/api/users/me", "email"}, Success: success("status", "201"), Logout: "/api/auth/logout",
		},
		Source: "immich-app/immich server/src/controllers/auth.controller.ts",
	},
	{
		Name: "mattermost", Title: "Mattermost",
		// A code goes with the password, to the same address; without it a
		// right password is 401 too.
		Words: Words{
			Path: "/api/v4/users/login", User: "login_id", Session: []string{"MMAUTHTOKEN"},
			Success: success("status", "200"), Whoami: Whoami{"/api/v4/users/me", "username"}, Logout: "/api/v4/users/logout",
		},
		Source: "mattermost/mattermost server/channels/api4/user.go, app/login.go",
	},
	{
		Name: "metabase", Title: "Metabase",
		// metabase.DEVICE is no session. Sessions travel in X-Metabase-Session
		// too: see sessionHeaders.
		Words: Words{
			Path: "/api/session", User: "username", Session: []string{"metabase.SESSION"},
			Success: success("status", "200"), Whoami: Whoami{"/api/user/current", "email"}, Logout: "/api/session",
		},
		Source: "metabase/metabase src/metabase/session/api.clj, request/cookies.clj",
	},
	{
		Name: "moodle", Title: "Moodle",
		// A right password leads back to the login, with testsession; a wrong
		// one too, without. A second factor (tool_mfa) is asked for on the pages
		// after that: whoever has one is known by the password.
		Words: Words{
			Path: "/login/index.php", User: "username", Session: []string{"MoodleSession*"},
			Success: success("location", "/login/index.php?testsession=*"), Logout: "/login/logout.php",
		},
		Source: "moodle/moodle public/login/index.php",
	},
	{
		Name: "nextcloud", Title: "Nextcloud",
		// The session's name is the instance's own: found out. nc_token is not
		// set where auto_logout is on.
		Words: Words{
			Path: "/login", User: "user", Success: success("cookie", "nc_token"), Logout: "/logout",
			Second: []string{"/login/challenge/*", "/login/selectchallenge"},
		},
		Source: "nextcloud/server core/Controller/LoginController.php, TwoFactorChallengeController.php, lib/private/Authentication/Login, TwoFactorAuth/Manager.php",
	},
	{
		Name: "node-red", Title: "Node-RED",
		Words: Words{
			Path: "/auth/token", User: "username", Token: "access_token", Whoami: Whoami{"/settings", "user.username"}, Logout: "/auth/revoke",
		},
		Source: "node-red/node-red packages/node_modules/@node-red/editor-api/lib/auth/index.js",
	},
	{
		Name: "odoo", Title: "Odoo",
		// A redirect is no proof: ?db= on a new session leads to the same page
		// again before the password is looked at (ensure_db).
		Words: Words{
			Path: "/web/login", User: "login", Session: []string{"session_id"}, Success: success("page", "/web/login_successful"), Logout: "/web/session/logout",
			Second: []string{"/web/login/totp"},
		},
		Source: "odoo/odoo addons/web/controllers/home.py, addons/auth_totp/controllers/home.py",
	},
	{
		Name: "paperless-ngx", Title: "Paperless-ngx",
		// A redirect is no proof: one who still has to confirm an address, or to
		// pass a second factor, is led on too. The profile names an e-mail that
		// may be empty, so it is no whoami.
		Words: Words{
			Path: "/accounts/login/", User: "login", Session: []string{"*sessionid"}, Success: success("page", "/api/profile/"), Logout: "/accounts/logout/",
			Second: []string{"/accounts/2fa/authenticate/"},
		},
		Source: "paperless-ngx/paperless-ngx src/paperless/urls.py, views.py; pennersr/django-allauth allauth/urls.py, allauth/mfa",
	},
	{
		Name: "phpmyadmin", Title: "phpMyAdmin",
		// Over https its cookies have "_https" behind their names, and some
		// versions "__Secure-" before them. A wrong password clears pmaAuth. A
		// second factor is asked for after that: whoever has one is known by the
		// password.
		Words: Words{
			Path: "/index.php", User: "pma_username", Session: []string{"*phpMyAdmin*", "*pmaUser-*", "*pmaAuth-*"},
			Success: success("cookie", "*pmaAuth-*"), Logout: "/index.php?route=/logout", Public: []string{"/"},
		},
		Source: "phpmyadmin/phpmyadmin libraries/classes/Plugins/Auth/AuthenticationCookie.php, Plugins/AuthenticationPlugin.php, Config.php",
	},
	{
		Name: "roundcube", Title: "Roundcube",
		// A wrong password clears both cookies.
		Words: Words{
			Path: "/", User: "_user", Session: []string{"roundcube_sess*"}, Success: success("cookie", "roundcube_sessauth"), Logout: "/?_task=logout",
		},
		Source: "roundcube/roundcubemail index.php",
	},
	{
		Name: "wordpress", Title: "WordPress",
		// The plugins' second step is posted with the user's number and no
		// session: the answer to the password sets the cookies and clears them,
		// and what comes after it names nobody.
		Words: Words{
			Path: "/wp-login.php", User: "log", Session: []string{"wordpress_*"},
			Success: success("cookie", "wordpress_logged_in_*"), Logout: "/wp-login.php?action=logout",
		},
		Source: "WordPress/WordPress wp-login.php, wp-includes/user.php, default-constants.php; WordPress/two-factor class-two-factor-core.php",
	},
}
