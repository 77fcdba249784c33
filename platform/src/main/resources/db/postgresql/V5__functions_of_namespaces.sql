-- Functions of other namespaces of a cluster are called name.namespace.
ALTER TABLE invocation ALTER COLUMN function_name SET DATA TYPE VARCHAR(127);
ALTER TABLE function_calls ALTER COLUMN function_name SET DATA TYPE VARCHAR(127);
