-- Whether anything was ever sold for Stars is asked before each look at their list, most often where nothing was.

CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_stars ON payments (shop_id) WHERE gateway = 'stars';
