-- When functions are called: the last time, and how many gaps between calls count of each class of
-- lengths. Written once a minute of those that were called.
CREATE TABLE function_calls (
  function_name   VARCHAR(63) PRIMARY KEY,
  last_nanos      BIGINT      NOT NULL,
  gaps            VARCHAR     NOT NULL
);
