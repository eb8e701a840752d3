package sms

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Number is a number in E.164. It must come with its country ("+1 514
// 555-0100"): which country a bare one is of, nobody can tell.
func Number(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", errors.New("there is no mobile number")
	}
	if !strings.HasPrefix(text, "+") {
		return "", fmt.Errorf("the number %q needs its country in front: +15145550100", text)
	}
	n, err := phonenumbers.Parse(text, "")
	if err != nil || n.GetExtension() != "" || !phonenumbers.IsPossibleNumber(n) {
		return "", fmt.Errorf("%q is no telephone number", text)
	}
	return phonenumbers.Format(n, phonenumbers.E164), nil
}
