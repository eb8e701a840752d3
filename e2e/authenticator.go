package e2e

import (
	"context"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// Authenticator is a device that holds passkeys: what a browser's tab asks
// where a person would touch a sensor.
type Authenticator struct {
	b  *Browser
	id webauthn.AuthenticatorID
}

// Authenticator gives the tab a platform authenticator that verifies its
// person, as a phone or a laptop does.
func (b *Browser) Authenticator() *Authenticator {
	b.t.Helper()
	a := &Authenticator{b: b}
	b.do("adding an authenticator", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, webauthn.Enable, webauthn.EnableParams{}); err != nil {
			return err
		}
		made, err := cdp.Call(ctx, t, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
			Options: &webauthn.VirtualAuthenticatorOptions{
				Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
				HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
			},
		})
		a.id = made.AuthenticatorID
		return err
	}))
	return a
}

// WithoutList lets the browser be one that lists no passkeys at a field, so that
// the door asks for none by itself.
func (b *Browser) WithoutList() {
	b.t.Helper()
	b.do("taking the list away", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
			Source: "if (window.PublicKeyCredential) PublicKeyCredential.isConditionalMediationAvailable = async () => false;",
		})
		return err
	}))
}

// Verify lets the person be verified, or not: a wrong finger.
func (a *Authenticator) Verify(yes bool) {
	a.b.t.Helper()
	a.b.do("setting the person", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: a.id, IsUserVerified: yes})
		return err
	}))
}

// Passkeys are what it holds.
func (a *Authenticator) Passkeys() []*webauthn.Credential {
	a.b.t.Helper()
	var list []*webauthn.Credential
	a.b.do("reading the authenticator", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		held, err := cdp.Call(ctx, t, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: a.id})
		list = held.Credentials
		return err
	}))
	return list
}
