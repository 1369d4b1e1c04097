-- name: find
-- A picture that the person got; refuses (no row) somebody else's, and one that was forgotten.
SELECT id, model, size, quality, style, prompt, COALESCE(sources, array_remove(ARRAY[source_file_id], NULL)) AS sources,
       result_file_id AS file_id, result_url AS url, request_id, finished_at AS at
FROM generations WHERE id = $1 AND user_id = $2 AND status = 'delivered' AND prompt IS NOT NULL;

-- name: newest
-- The last $2 pictures that a person got.
SELECT id, model, size, quality, style, prompt, COALESCE(sources, array_remove(ARRAY[source_file_id], NULL)) AS sources,
       result_file_id AS file_id, result_url AS url, request_id, finished_at AS at
FROM generations WHERE user_id = $1 AND status = 'delivered' AND prompt IS NOT NULL
ORDER BY finished_at DESC, id DESC LIMIT $2;

-- name: older
-- The $2 pictures that came before $3, newest first; that one may be forgotten by now, and its time stays.
SELECT id, model, size, quality, style, prompt, COALESCE(sources, array_remove(ARRAY[source_file_id], NULL)) AS sources,
       result_file_id AS file_id, result_url AS url, request_id, finished_at AS at
FROM generations WHERE user_id = $1 AND status = 'delivered' AND prompt IS NOT NULL
  AND (finished_at, id) < ((SELECT finished_at FROM generations WHERE id = $3 AND user_id = $1), $3)
ORDER BY finished_at DESC, id DESC LIMIT $2;

-- name: newer
-- The $2 pictures that came after $3, the oldest first.
SELECT id, model, size, quality, style, prompt, COALESCE(sources, array_remove(ARRAY[source_file_id], NULL)) AS sources,
       result_file_id AS file_id, result_url AS url, request_id, finished_at AS at
FROM generations WHERE user_id = $1 AND status = 'delivered' AND prompt IS NOT NULL
  AND (finished_at, id) > ((SELECT finished_at FROM generations WHERE id = $3 AND user_id = $1), $3)
ORDER BY finished_at, id LIMIT $2;

-- name: renew_link
-- Notes where the untouched file is now; refuses (no row) what was forgotten meanwhile.
UPDATE generations SET result_url = $2
WHERE id = $1 AND status = 'delivered' AND prompt IS NOT NULL
RETURNING id;

-- name: keep_file
-- Notes Telegram's name of a picture that was shown without anybody learning it; refuses (no row) where there is one, and
-- what was forgotten meanwhile.
UPDATE generations SET result_file_id = $2
WHERE id = $1 AND status = 'delivered' AND prompt IS NOT NULL AND result_file_id IS NULL
RETURNING id;
