-- name: overdue
-- What a living worker would have dealt with five minutes ago, and messages that have been failing for an hour; a queue
-- without any is left out. Broadcasts, and messages to people who block the bot or whose chat Telegram told the bot to leave
-- alone, wait on purpose, and payments of another shop are not ours.
SELECT queue, count(*) AS rows, extract(epoch FROM now() - min(since))::float8 AS oldest_s
FROM (
    SELECT 'messages' AS queue, LEAST(due_at, created_at + interval '1 hour') AS since
    FROM outbox
    WHERE status = 'pending' AND due_at < 'infinity' AND priority < 2
      AND NOT EXISTS (SELECT FROM chat_pauses WHERE chat_id = outbox.chat_id AND until > now())
      AND (due_at < now() - interval '5 minutes' OR created_at < now() - interval '1 hour')
    UNION ALL
    SELECT 'orders', deadline_at
    FROM generations
    WHERE status IN ('queued', 'submitting') AND deadline_at < now() - interval '5 minutes'
    UNION ALL
    -- Apart from those above: each has a partial index of its own.
    SELECT 'orders', deadline_at
    FROM generations
    WHERE status = 'processing' AND deadline_at < now() - interval '5 minutes'
    UNION ALL
    SELECT 'pictures without a message', ready_at
    FROM generations
    WHERE status = 'ready'
      AND NOT EXISTS (SELECT FROM outbox WHERE kind = 'picture' AND ref = generations.id::text AND status = 'pending')
    UNION ALL
    SELECT 'payments', poll_at
    FROM payments
    WHERE status IN ('new', 'pending') AND gateway = 'yookassa' AND shop_id = $1 AND test = $2 AND poll_at < now() - interval '5 minutes'
    UNION ALL
    SELECT 'refunds', refunds.poll_at
    FROM refunds JOIN payments ON payments.id = refunds.payment_id
    WHERE refunds.status = 'announced' AND refunds.poll_at < now() - interval '5 minutes'
      AND payments.gateway = 'yookassa' AND payments.shop_id = $1 AND payments.test = $2
) AS late
GROUP BY queue
ORDER BY queue;
