package passkey

import (
	"embed"

	"github.com/cadenas-gateway/cadenas/pages"
)

//go:embed assets
var assetFiles embed.FS

// Script is the asset that makes and uses passkeys on a page of ours.
const Script = "passkey.js"

var _ = pages.Register(pages.Sub(assetFiles, "assets"))
