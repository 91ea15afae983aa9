-- users.0002_low
\set ON_ERROR_STOP on

-- add column low to users
BEGIN;
ALTER TABLE users ADD COLUMN low text;
COMMIT;
-- in batches, each a transaction; here all at once:
UPDATE users SET low = lower(name) WHERE low IS NULL;
BEGIN;
DO $do$
BEGIN
  IF EXISTS (SELECT FROM users WHERE low IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'The column low of users becomes NOT NULL, and some rows have NULL.',
      HINT = 'Either the fill gave NULL for them, so give the operation one that never does; or the code that still runs has written NULL since, so deploy code that gives a value first. Then change those rows, and run migrate again.',
      ERRCODE = 'integrity_constraint_violation';
  END IF;
END
$do$;
COMMIT;
BEGIN;
ALTER TABLE users ADD CONSTRAINT users_low_is_set CHECK (low IS NOT NULL) NOT VALID;
COMMIT;
-- in batches, each a transaction; here all at once:
UPDATE users SET low = lower(name) WHERE low IS NULL;
BEGIN;
ALTER TABLE users VALIDATE CONSTRAINT users_low_is_set;
COMMIT;
BEGIN;
ALTER TABLE users ALTER COLUMN low SET NOT NULL;
ALTER TABLE users DROP CONSTRAINT users_low_is_set;
COMMIT;

-- create index users_low on users
-- DROP INDEX CONCURRENTLY users_low; where an attempt left an invalid one
CREATE INDEX CONCURRENTLY users_low ON users (low);
