-- Batches of invocations that gateways have handed over: one that comes twice is written once.
CREATE TABLE invocation_batch (
  id              VARCHAR(64) PRIMARY KEY,
  taken_at        TIMESTAMP(9) WITH TIME ZONE NOT NULL
);

CREATE INDEX invocation_batch_by_time ON invocation_batch (taken_at);
