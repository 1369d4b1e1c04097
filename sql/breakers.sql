-- name: state
-- Whether the circuit is open.
SELECT opened_at IS NOT NULL AS is_open FROM breakers WHERE provider = $1;

-- name: try_trial
-- Lets one order through an open circuit and sets the next trial; refuses (no row) before its time.
UPDATE breakers SET trial_at = now() + make_interval(secs => $2)
WHERE provider = $1 AND opened_at IS NOT NULL AND trial_at <= now()
RETURNING provider;

-- name: refused
-- Counts a refusal; the third in a row opens the circuit. `opened` is true for that one alone.
UPDATE breakers
SET refusals = refusals + 1,
    opened_at = CASE WHEN refusals + 1 >= $2 THEN COALESCE(opened_at, now()) END,
    trial_at = CASE WHEN refusals + 1 >= $2 THEN COALESCE(trial_at, now() + make_interval(secs => $3)) END
WHERE provider = $1
RETURNING refusals = $2 AS opened, opened_at::text AS since;

-- name: accepted
-- Closes the circuit at the first order that is accepted; `closed` is true where it was open.
UPDATE breakers SET refusals = 0, opened_at = NULL, trial_at = NULL
FROM (SELECT provider, opened_at FROM breakers WHERE provider = $1 AND refusals > 0 FOR UPDATE) AS before
WHERE breakers.provider = before.provider
RETURNING before.opened_at IS NOT NULL AS closed;

-- name: accepted_since
-- Closes the circuit for an order whose picture came, where it was sent after the circuit had opened; refuses (no row)
-- one accepted before: it says nothing of what gen-api takes now.
UPDATE breakers SET refusals = 0, opened_at = NULL, trial_at = NULL
FROM generations
WHERE breakers.provider = $1 AND generations.id = $2 AND generations.submitted_at > breakers.opened_at
RETURNING breakers.provider;
