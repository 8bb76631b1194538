-- Loads what changed in this machine's history since the last load:
--
--   psql -Xq "service=pcapi" -f load.sql
--
-- All of it is stored, with the bookmark, in one transaction. If the load fails or is killed, the
-- next one makes up for it.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET client_encoding = 'UTF8';
DO $$ BEGIN
  IF to_regnamespace('pcapi') IS NULL THEN
    RAISE 'the database % has no schema pcapi', current_database()
      USING HINT = 'Run schema.sql in this database.';
  ELSIF NOT pg_has_role('pcapi_load', 'USAGE') THEN
    RAISE 'the user % may not load', current_user
      USING HINT = format('GRANT pcapi_load TO %I', current_user);
  ELSIF to_regprocedure('pcapi.is_whole()') IS NULL THEN
    RAISE 'the schema pcapi is of another pcapi'
      USING HINT = 'Run the schema.sql of this pcapi there.';
  END IF;
END $$;
CALL pcapi.begin_load();
\copy collector_in FROM PROGRAM 'pcapi history export collector' WITH (FORMAT csv, HEADER match)
SELECT pcapi.bookmark() AS after \gset
\setenv PCAPI_AFTER :after
\copy runs_in FROM PROGRAM 'pcapi history export runs --after $PCAPI_AFTER' WITH (FORMAT csv, HEADER match)
\copy findings_in FROM PROGRAM 'pcapi history export findings --after $PCAPI_AFTER' WITH (FORMAT csv, HEADER match)
\copy adoption_in FROM PROGRAM 'pcapi history export adoption --after $PCAPI_AFTER' WITH (FORMAT csv, HEADER match)
\copy requests_in FROM PROGRAM 'pcapi history export requests --after $PCAPI_AFTER' WITH (FORMAT csv, HEADER match)
CALL pcapi.finish_load();
