package adminui

import (
	"strconv"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
)

// readDecision reads the decide form. What was chosen is returned with an
// error too, to be shown again.
func readDecision(v *visit) (approvals.Choice, approvals.Chosen, error) {
	get := v.r.PostFormValue
	chosen := approvals.Chosen{
		Width: approvals.Width(get(approvals.FieldWidth)), End: approvals.End(get(approvals.FieldEnd)),
		Until: get(approvals.FieldUntil), Reply: get(approvals.FieldReply), Sure: get(approvals.FieldSure) != "",
	}
	choice := approvals.Choice{
		Width: chosen.Width, Number: get(approvals.FieldNumber), Sure: chosen.Sure,
		Reply: chosen.Reply, Confirmed: get(approvals.FieldConfirmed) != "",
	}
	version, err := strconv.Atoi(get(approvals.FieldVersion))
	if err != nil || version < 1 {
		return choice, chosen, errBadWords
	}
	choice.Version = version
	switch get(approvals.FieldDecision) {
	case "approve":
		choice.Effect = access.Allow
		choice.Until, err = chosen.End.Time(chosen.Until, v.now)
	case "refuse":
		choice.Effect = access.Refuse
	default:
		return choice, chosen, errBadWords
	}
	return choice, chosen, err
}
