package caddymodule

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/cadenas-gateway/cadenas/access"
	"github.com/cadenas-gateway/cadenas/approvals"
	"github.com/cadenas-gateway/cadenas/biopass"
	"github.com/cadenas-gateway/cadenas/identity"
)

// Labels come from the configuration and closed sets, never from users.
var (
	verdictCount = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "cadenas", Name: "verdicts_total", Help: "Verdicts, by application, answer and the step that answered.",
	}, []string{"application", "answer", "step"})
	loginCount = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "cadenas", Name: "logins_total", Help: "Login posts, by application and outcome.",
	}, []string{"application", "outcome"})
	requestCount = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "cadenas", Name: "access_requests_total", Help: "Access requests opened, by application.",
	}, []string{"application"})
	noticeCount = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "cadenas", Name: "notices_total", Help: "Tries to send a notice, by channel, kind and result (sent, again, failed; lost is what a channel had taken and could not bring).",
	}, []string{"channel", "kind", "result"})
	biopassCount = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "cadenas", Name: "biopass_total", Help: "What came of typed lines, by application and outcome (match, again, spent, would).",
	}, []string{"application", "outcome"})
	socketGauge = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "cadenas", Name: "requests_in_flight", Help: "Requests under way that a revocation would reach.",
	}, func() float64 {
		app := current.Load()
		if app == nil {
			return 0
		}
		run, err := app.open()
		if err != nil {
			return 0
		}
		return float64(run.state.gate.Open())
	})
)

// awayGauge tells how long the store has been away, in seconds.
var awayGauge = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
	Namespace: "cadenas", Name: "store_away_seconds", Help: "How long the store has not been heard of; 0 when all is well.",
}, func() float64 {
	app := current.Load()
	if app == nil {
		return 0
	}
	run, err := app.open()
	if err != nil {
		return 0
	}
	since, _ := run.state.gate.Away()
	if since.IsZero() {
		return 0
	}
	return time.Since(since).Seconds()
})

// counters hold the counter of each label set once looked up: the lookup by
// label costs more than the counting.
var counters sync.Map

type counterKey struct {
	application string
	answer      access.Answer
	step        access.Step
}

// habit is the counter that a site's last verdict had, and most likely its
// next one has.
type habit struct {
	answer  access.Answer
	step    access.Step
	counter prometheus.Counter
}

func (s *site) count(v *access.Verdict) {
	if u := s.habit.Load(); u != nil && u.answer == v.Answer && u.step == v.Step {
		u.counter.Inc()
		return
	}
	key := counterKey{s.name, v.Answer, v.Step}
	c, ok := counters.Load(key)
	if !ok {
		c, _ = counters.LoadOrStore(key, verdictCount.WithLabelValues(s.name, string(v.Answer), string(v.Step)))
	}
	s.habit.Store(&habit{v.Answer, v.Step, c.(prometheus.Counter)})
	c.(prometheus.Counter).Inc()
}

func countLogin(application string, o identity.Outcome) {
	words := [...]string{"failed", "released", "held", "refused", "unreadable", "inconclusive", "aborted", "second"}
	word := "other"
	if int(o) < len(words) {
		word = words[o]
	}
	loginCount.WithLabelValues(application, word).Inc()
}

func countRequest(application string) { requestCount.WithLabelValues(application).Inc() }

func countTyping(application string, o biopass.Outcome) {
	biopassCount.WithLabelValues(application, string(o)).Inc()
}

func countNotice(channel string, kind approvals.NoticeKind, result string) {
	noticeCount.WithLabelValues(channel, string(kind), result).Inc()
}

// measures registers the metrics with the registry of a configuration.
func measures(r *prometheus.Registry) error {
	for _, c := range []prometheus.Collector{verdictCount, loginCount, requestCount, noticeCount, biopassCount, socketGauge, awayGauge} {
		if err := r.Register(c); err != nil {
			if _, again := err.(prometheus.AlreadyRegisteredError); !again { //nolint:errorlint // returned as it is
				return err
			}
		}
	}
	return nil
}

func verdictField(v access.Verdict) zap.Field {
	return zap.String("cadenas_verdict", string(v.Answer)+": "+v.Reason())
}

func userField(user string) zap.Field { return zap.String("cadenas_user", user) }
