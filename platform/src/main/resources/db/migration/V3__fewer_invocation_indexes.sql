-- A row costs as much again for each index. Nothing asks by workflow, and the rows are in the order
-- of their time but for those of requests that ran together.
DROP INDEX invocation_by_workflow;
DROP INDEX invocation_by_time;
