-- name: off
-- The circuits of $1 that let no order through: open, and the next trial is not due.
SELECT provider FROM breakers WHERE provider = ANY ($1::text[]) AND opened_at IS NOT NULL AND trial_at > now();

-- name: any_open
-- Whether one of the circuits of $1 is open: all of them are closed nearly always, and then nothing is locked.
SELECT EXISTS (SELECT FROM breakers WHERE provider = ANY ($1::text[]) AND opened_at IS NOT NULL);

-- name: try_trial
-- Lets one order through the open circuits of $1 and sets their next trials, $2 seconds each; where one refuses it
-- before its time, none is tried, and that one is told.
WITH ways AS (
    SELECT provider, trial_at > now() AS refuses FROM breakers
    WHERE provider = ANY ($1::text[]) AND opened_at IS NOT NULL
    ORDER BY provider
    FOR UPDATE
), tried AS (
    UPDATE breakers SET trial_at = now() + make_interval(secs => pauses.pause_s)
    FROM unnest($1::text[], $2::float8[]) AS pauses (provider, pause_s)
    WHERE breakers.provider = pauses.provider AND breakers.provider IN (SELECT provider FROM ways)
      AND NOT EXISTS (SELECT FROM ways WHERE refuses)
)
SELECT provider FROM ways WHERE refuses ORDER BY provider LIMIT 1;

-- name: refused
-- Counts a refusal; the third in a row opens the circuit. `opened` is true for that one alone.
INSERT INTO breakers AS ways (provider, refusals) VALUES ($1, 1)
ON CONFLICT (provider) DO UPDATE
SET refusals = ways.refusals + 1,
    opened_at = CASE WHEN ways.refusals + 1 >= $2 THEN COALESCE(ways.opened_at, now()) END,
    trial_at = CASE WHEN ways.refusals + 1 >= $2
                    THEN COALESCE(ways.trial_at, now() + make_interval(secs => $3)) END
RETURNING refusals = $2 AS opened, opened_at::text AS since;

-- name: accepted
-- Closes the circuits of $1 at the first order that is accepted; `closed` is true for one that was open.
UPDATE breakers SET refusals = 0, opened_at = NULL, trial_at = NULL
FROM (SELECT provider, opened_at FROM breakers
      WHERE provider = ANY ($1::text[]) AND refusals > 0 ORDER BY provider FOR UPDATE) AS before
WHERE breakers.provider = before.provider
RETURNING breakers.provider, before.opened_at IS NOT NULL AS closed;

-- name: accepted_since
-- Closes the circuits of $1 and of its model for an order whose picture came, where it was sent after they had opened;
-- refuses (no row) one accepted before: it says nothing of what gen-api takes now.
UPDATE breakers SET refusals = 0, opened_at = NULL, trial_at = NULL
FROM generations
WHERE generations.id = $2 AND breakers.provider IN ($1, $1 || '/' || generations.model)
  AND generations.submitted_at > breakers.opened_at
RETURNING breakers.provider;
