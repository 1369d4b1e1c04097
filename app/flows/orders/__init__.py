"""Orders: placed by a tap, submitted by a worker, settled by gen-api's word, the deadline or the deliverer."""
