package adminui

import (
	"net/http"
	"net/url"

	"github.com/cadenas-gateway/cadenas/pages"
)

// table is every address of the console. GET changes nothing; what changes
// something is a POST that begin and enter have checked.
func (c *Console) table() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle(pages.AssetPath, c.assets)
	mux.Handle("/decide/", c.Approvals.DecideHandler(c.Session))
	for pattern, h := range map[string]handler{
		"GET /sign-in":              showSignIn,
		"POST /sign-in":             askForLink,
		"POST /sign-in/options":     askForPasskey,
		"POST /sign-in/passkey":     enterByPasskey,
		"GET /enter/{token}":        showLink,
		"POST /enter/{token}":       useLink,
		"GET /manifest.webmanifest": manifest,
		"GET /worker.js":            worker,
		"/":                         func(*visit) error { return errNotHere },
	} {
		mux.Handle(pattern, c.open(h))
	}
	for pattern, h := range map[string]handler{
		"GET /welcome":             showWelcome,
		"POST /welcome":            addFirstAdmin,
		"POST /sign-out":           signOut,
		"POST /sign-out/elsewhere": signOutElsewhere,
	} {
		mux.Handle(pattern, c.lent(h))
	}
	for pattern, h := range map[string]handler{
		"GET /{$}":                    showHome,
		"GET " + eventsPath:           events,
		"GET /requests":               showRequests,
		"GET /connections":            showConnections,
		"GET /connections.csv":        exportConnectionsCSV,
		"GET /connections.json":       exportConnectionsJSON,
		"GET /explain":                showTryOut,
		"GET /people":                 showPeople,
		"GET /people/{user}":          showPerson,
		"GET /columns":                showColumns,
		"GET /rules":                  showRules,
		"GET /rules/new":              showNewRule,
		"GET /rules/edit":             showEditRule,
		"GET /places":                 showPlaces,
		"POST /places":                whole(namePlace),
		"POST /places/remove":         whole(unnamePlace),
		"POST /places/edit/{network}": whole(editPlace),
		"GET /activity":               showActivity,
		"GET /activity.csv":           exportCSV,
		"GET /activity.json":          exportJSON,
		"GET /messages":               showMessages,
		"GET /admins":                 whole(showAdmins),
		"GET /admins/new":             whole(showNewAdmin),
		"GET /admins/{email}":         whole(showAdmin),
		"GET /settings":               whole(showSettings),
		"GET /more":                   showMore,
		"GET /account":                showAccount,

		"GET /explain/{application}/{connection}": showExplanation,

		"POST /push/subscribe":              subscribe,
		"POST /push/unsubscribe":            unsubscribe,
		"POST /push/test":                   testPush,
		"POST /people":                      addPerson,
		"POST /people/{user}/treat":         treatPerson,
		"POST /people/{user}/exempt":        exemptPerson,
		"POST /people/{user}/pass":          givePass,
		"POST /people/{user}/edit":          editPerson,
		"POST /people/{user}/biopass/link":  linkKeyboard,
		"POST /people/{user}/biopass/erase": eraseTyping,
		"POST /people/{user}/biopass/name":  renameKeyboard,

		"POST /people/{user}/biopass/passkey/{id}/remove": removePersonsKey,

		"GET /people/{user}/biopass.json":             exportTyping,
		"POST /people/{user}/remove":                  whole(removePerson),
		"POST /account/passkeys":                      addKey,
		"POST /account/passkeys/options":              askForKey,
		"POST /account/passkeys/{id}/name":            renameKey,
		"POST /account/passkeys/{id}/remove":          removeOwnKey,
		"POST /admins/{email}/passkeys/{id}/remove":   whole(removeKeyOf),
		"POST /account/told":                          saveTold,
		"POST /account/test":                          testChannel,
		"POST /settings/backup":                       whole(saveBackup),
		"POST " + restorePath:                         whole(lookRestore),
		"POST " + restorePath + "/now":                whole(restoreBackup),
		"GET /devices":                                showDevices,
		"POST /devices/{device}/name":                 nameDevice,
		"POST /devices/{device}/allow":                allowDevice,
		"POST /devices/{device}/forget":               forgetForAll,
		"POST /people/{user}/devices/{device}/name":   renameDevice,
		"POST /people/{user}/devices/{device}/forget": forgetDevice,

		"POST /columns/move":          moveConnections,
		"POST /columns/undo":          undoMoves,
		"POST /rules/new":             addRule,
		"POST /rules/end":             endRule,
		"POST /rules/edit":            saveRule,
		"POST /admins/new":            whole(saveAdmin),
		"POST /admins/{email}":        whole(saveAdmin),
		"POST /admins/{email}/remove": whole(removeAdmin),

		"GET /teach":                       showLogins,
		"GET /teach/{application}":         showTeaching,
		"POST /teach/{application}":        beginLesson,
		"POST /teach/{application}/again":  againLesson,
		"POST /teach/{application}/try":    tryLesson,
		"POST /teach/{application}/keep":   keepLesson,
		"POST /teach/{application}/stop":   stopLesson,
		"POST /teach/{application}/preset": keepPreset,
		"POST /teach/{application}/forget": forgetLogin,

		"POST /requests/{application}/{id}": decideRequest,
		"GET /padlock/{application}/close":  showClosing,
		"POST /padlock/{application}/close": closePadlock,
		"GET /padlock/{application}/open":   showOpening,
		"POST /padlock/{application}/open":  openPadlock,
	} {
		mux.Handle(pattern, c.closed(h))
	}
	return mux
}

// showHome leads to where a hand is needed, else to the grid.
func showHome(v *visit) error {
	waiting, err := v.waitingCount()
	if err != nil {
		return err
	}
	to := "/connections"
	if waiting > 0 {
		to = "/requests"
	}
	if done := v.r.URL.Query().Get("done"); done != "" {
		return v.seeOther(to + "?done=" + url.QueryEscape(done))
	}
	return v.seeOther(to)
}
