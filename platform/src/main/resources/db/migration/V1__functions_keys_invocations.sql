-- A deleted function keeps its row, without an active revision, so that revision numbers never repeat:
-- a runtime may still hold `name-00001` of the old one.
CREATE TABLE function (
  name            VARCHAR(63) PRIMARY KEY,
  labels          VARCHAR     NOT NULL,
  last_number     INT         NOT NULL,
  active_number   INT,
  created_at      TIMESTAMP(9) WITH TIME ZONE NOT NULL,
  updated_at      TIMESTAMP(9) WITH TIME ZONE NOT NULL
);

-- Immutable: rows are inserted and deleted, never updated.
CREATE TABLE revision (
  function_name   VARCHAR(63) NOT NULL REFERENCES function (name) ON DELETE CASCADE,
  number          INT         NOT NULL,
  spec            VARCHAR     NOT NULL,
  created_at      TIMESTAMP(9) WITH TIME ZONE NOT NULL,
  PRIMARY KEY (function_name, number)
);

-- Keys are stored as SHA-256 of the secret; `functions` is a list of names with commas, or null for all.
CREATE TABLE api_key (
  id              VARCHAR(32) PRIMARY KEY,
  name            VARCHAR(100) NOT NULL,
  hash            BINARY(32)  NOT NULL UNIQUE,
  scopes          VARCHAR(100) NOT NULL,
  functions       VARCHAR,
  created_at      TIMESTAMP(9) WITH TIME ZONE NOT NULL
);

-- One row for each finished request of a function; bounded by rows and age.
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
  started_at      TIMESTAMP(9) WITH TIME ZONE NOT NULL,
  held_micros     BIGINT      NOT NULL,
  ttft_micros     BIGINT,
  duration_micros BIGINT      NOT NULL,
  input_tokens    BIGINT,
  output_tokens   BIGINT
);

CREATE INDEX invocation_by_function ON invocation (function_name, id);
CREATE INDEX invocation_by_workflow ON invocation (workflow, id);
CREATE INDEX invocation_by_time ON invocation (started_at);
