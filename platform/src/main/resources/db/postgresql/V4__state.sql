-- What the embedded database has after its fourth migration; what the columns mean is told there.
CREATE TABLE function (
  name            VARCHAR(63) PRIMARY KEY,
  labels          VARCHAR     NOT NULL,
  last_number     INT         NOT NULL,
  active_number   INT,
  created_at      TIMESTAMP WITH TIME ZONE NOT NULL,
  updated_at      TIMESTAMP WITH TIME ZONE NOT NULL
);

CREATE TABLE revision (
  function_name   VARCHAR(63) NOT NULL REFERENCES function (name) ON DELETE CASCADE,
  number          INT         NOT NULL,
  spec            VARCHAR     NOT NULL,
  created_at      TIMESTAMP WITH TIME ZONE NOT NULL,
  PRIMARY KEY (function_name, number)
);

CREATE TABLE api_key (
  id              VARCHAR(32) PRIMARY KEY,
  name            VARCHAR(100) NOT NULL,
  hash            BYTEA       NOT NULL UNIQUE CHECK (LENGTH(hash) = 32),
  scopes          VARCHAR(100) NOT NULL,
  functions       VARCHAR,
  created_at      TIMESTAMP WITH TIME ZONE NOT NULL
);

CREATE TABLE invocation (
  id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  request_id      VARCHAR(64) NOT NULL,
  function_name   VARCHAR(63) NOT NULL,
  revision_number INT,
  device          VARCHAR(63),
  operation       VARCHAR(32) NOT NULL,
  status          INT         NOT NULL,
  error_code      VARCHAR(64),
  key_id          VARCHAR(32),
  workflow        VARCHAR(128),
  stage           VARCHAR(128),
  parent          VARCHAR(128),
  started_at      TIMESTAMP WITH TIME ZONE NOT NULL,
  held_micros     BIGINT      NOT NULL,
  ttft_micros     BIGINT,
  duration_micros BIGINT      NOT NULL,
  input_tokens    BIGINT,
  output_tokens   BIGINT
);

CREATE INDEX invocation_by_function ON invocation (function_name, id);

CREATE TABLE invocation_batch (
  id              VARCHAR(64) PRIMARY KEY,
  taken_at        TIMESTAMP WITH TIME ZONE NOT NULL
);

CREATE INDEX invocation_batch_by_time ON invocation_batch (taken_at);

CREATE TABLE function_calls (
  function_name   VARCHAR(63) PRIMARY KEY,
  last_nanos      BIGINT      NOT NULL,
  gaps            VARCHAR     NOT NULL
);
