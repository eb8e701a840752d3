// Package passkeytest is an authenticator in software, for tests that need
// passkeys without a browser: it does what a phone does, and what a forger
// would like to.
package passkeytest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// Authenticator holds one passkey. Its zero value is not of use: see New.
type Authenticator struct {
	// Origin is the page's, as the browser would see it.
	Origin string
	// Host is the RP ID it signs for; empty means what the options ask for.
	Host string
	// Unverified leaves the person unverified: present only.
	Unverified bool
	// Count is the counter that the next answer bears; it rises by itself
	// unless Still.
	Count uint32
	Still bool

	key        crypto.Signer
	id, handle []byte
}

// New makes an authenticator that is used on pages of an origin.
func New(origin string) (*Authenticator, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	a := &Authenticator{Origin: origin, Count: 1, key: key, id: make([]byte, 32)}
	rand.Read(a.id)
	return a, nil
}

// Of makes a copy of somebody's authenticator, for who got hold of what is in
// it: the credential's identifier, its private key (PKCS #8) and its owner's
// handle.
func Of(origin string, id, key, handle []byte, count uint32) (*Authenticator, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("reading the key: %w", err)
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("reading the key: a %T does not sign", parsed)
	}
	return &Authenticator{Origin: origin, Count: count, key: private, id: id, handle: handle}, nil
}

// Copy is an authenticator with the same passkey.
func (a *Authenticator) Copy() *Authenticator {
	b := *a
	return &b
}

// options are those parts of both kinds of options that matter here.
type options struct {
	Challenge string `json:"challenge"`
	Host      string `json:"rpId"`
	Party     struct {
		ID string `json:"id"`
	} `json:"rp"`
	User struct {
		ID string `json:"id"`
	} `json:"user"`
}

var plain = base64.RawURLEncoding

// Make answers the options for a new passkey as navigator.credentials.create
// does.
func (a *Authenticator) Make(from []byte) ([]byte, error) {
	o, err := a.read(from)
	if err != nil {
		return nil, err
	}
	if a.handle, err = plain.DecodeString(o.User.ID); err != nil {
		return nil, fmt.Errorf("reading the user handle: %w", err)
	}
	key, ok := a.key.Public().(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("a %T is for answers only", a.key)
	}
	public, err := key.Bytes() // 4, X, Y
	if err != nil {
		return nil, err
	}
	cose, err := cbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: public[1:33], -3: public[33:]})
	if err != nil {
		return nil, err
	}
	data := a.data(o.Party.ID, 0x40)
	data = append(data, make([]byte, 16)...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(a.id))) //nolint:gosec // 32
	data = append(append(data, a.id...), cose...)
	object, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{
		"id": plain.EncodeToString(a.id), "rawId": plain.EncodeToString(a.id), "type": "public-key",
		"response": map[string]any{
			"clientDataJSON": plain.EncodeToString(a.client("webauthn.create", o.Challenge)), "attestationObject": plain.EncodeToString(object),
			"transports": []string{"internal"},
		},
		"clientExtensionResults": map[string]any{},
	})
}

// Answer answers the options for an existing passkey as
// navigator.credentials.get does.
func (a *Authenticator) Answer(from []byte) ([]byte, error) {
	o, err := a.read(from)
	if err != nil {
		return nil, err
	}
	client := a.client("webauthn.get", o.Challenge)
	data := a.data(o.Host, 0)
	hash := sha256.Sum256(client)
	signature, err := crypto.SignMessage(a.key, rand.Reader, append(slices.Clone(data), hash[:]...), a.how())
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{
		"id": plain.EncodeToString(a.id), "rawId": plain.EncodeToString(a.id), "type": "public-key",
		"response": map[string]any{
			"clientDataJSON": plain.EncodeToString(client), "authenticatorData": plain.EncodeToString(data),
			"signature": plain.EncodeToString(signature), "userHandle": plain.EncodeToString(a.handle),
		},
		"clientExtensionResults": map[string]any{},
	})
}

// how says whether the key signs a message or its hash.
func (a *Authenticator) how() crypto.SignerOpts {
	if _, ok := a.key.(ed25519.PrivateKey); ok {
		return crypto.Hash(0)
	}
	return crypto.SHA256
}

func (a *Authenticator) read(from []byte) (options, error) {
	var o options
	if err := json.Unmarshal(from, &o); err != nil {
		return o, fmt.Errorf("reading the options: %w", err)
	}
	return o, nil
}

func (a *Authenticator) client(kind, challenge string) []byte {
	b, _ := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.Origin, "crossOrigin": false})
	return b
}

// data is the authenticator data of WebAuthn §6.1.
func (a *Authenticator) data(host string, more byte) []byte {
	if a.Host != "" {
		host = a.Host
	}
	sum := sha256.Sum256([]byte(host))
	flags := 0x01 | more
	if !a.Unverified {
		flags |= 0x04
	}
	data := append(sum[:], flags)
	data = binary.BigEndian.AppendUint32(data, a.Count)
	if !a.Still {
		a.Count++
	}
	return data
}

// Forge replaces the key by another, so that its signatures are wrong.
func (a *Authenticator) Forge() error {
	other, err := New(a.Origin)
	if err != nil {
		return err
	}
	a.key = other.key
	return nil
}
