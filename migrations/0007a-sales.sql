-- A gateway that refuses us as customers stops sales, as gen-api does orders.

INSERT INTO breakers (provider) VALUES ('yookassa') ON CONFLICT DO NOTHING;
