-- The histories of many collectors of pcapi in one PostgreSQL (15 or newer).
--
--   createdb --encoding=UTF8 --locale=C.UTF-8 --template=template0 pcapi
--   psql -d pcapi -f schema.sql
--
-- It may be run again, by the same user: tables stay, functions and views become those of this
-- file. What a function does is said above it. docs/scale.md says how to use it.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
DO $$ BEGIN
  IF current_setting('server_version_num')::int < 150000 THEN
    RAISE 'the schema needs PostgreSQL 15 or newer, not %', current_setting('server_version');
  ELSIF getdatabaseencoding() <> 'UTF8' THEN
    RAISE 'the schema needs a database with the encoding UTF8, not %', getdatabaseencoding()
      USING HINT = 'createdb --encoding=UTF8 --locale=C.UTF-8 --template=template0 pcapi';
  END IF;
END $$;
BEGIN;

-- Roles. Grant one of them to each user: GRANT pcapi_load TO "host1".
DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['pcapi_load', 'pcapi_read', 'pcapi_erase'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', name);
    END IF;
  END LOOP;
END $$;

CREATE SCHEMA IF NOT EXISTS pcapi;
SET LOCAL search_path = pcapi;
SET LOCAL check_function_bodies = off; -- temporary tables are made by begin_load

-- A history of pcapi, with the newest run that was loaded from it: the bookmark.
CREATE TABLE IF NOT EXISTS collector (
  collector uuid PRIMARY KEY, run bigint NOT NULL DEFAULT 0, loaded_at timestamptz);

-- A tenant belongs to the collector that asked it last.
CREATE TABLE IF NOT EXISTS tenant (
  tenant int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id uuid NOT NULL UNIQUE, name text,
  collector uuid, asked_at timestamptz, failed text);

-- `id` is the object ID, or `upn:` and the upn: it need not be a GUID.
CREATE TABLE IF NOT EXISTS person (
  person bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant int NOT NULL REFERENCES tenant,
  id text NOT NULL, upn text, home_tenant_id text, UNIQUE (tenant, id));
CREATE INDEX IF NOT EXISTS person_upn ON person (lower(upn));

-- Two collectors that asked a tenant at different times may number its episodes differently.
CREATE TABLE IF NOT EXISTS finding (
  tenant int NOT NULL REFERENCES tenant, person bigint NOT NULL REFERENCES person,
  collector uuid NOT NULL, episode int NOT NULL, run bigint NOT NULL, state text NOT NULL,
  first_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL, is_exact boolean NOT NULL, times int NOT NULL, mfa_at timestamptz,
  opened_at timestamptz NOT NULL, seen_at timestamptz NOT NULL, closed_at timestamptz,
  is_visible boolean NOT NULL, exception_who text, exception_tenant text, exception_until text,
  exception_why text, PRIMARY KEY (person, collector, episode));
CREATE INDEX IF NOT EXISTS finding_open ON finding (tenant) WHERE closed_at IS NULL;
CREATE INDEX IF NOT EXISTS finding_opened ON finding (opened_at);

CREATE TABLE IF NOT EXISTS application (
  application int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE, name text);
CREATE TABLE IF NOT EXISTS operation (
  operation int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);

-- `id` has the 16 bytes of a request's GUID; 32 bytes stand for an id that is no GUID. It has no
-- foreign keys, since it has many rows.
CREATE TABLE IF NOT EXISTS request (
  at timestamptz NOT NULL, person bigint, tenant int NOT NULL, application int NOT NULL,
  operation int, mfa boolean, id bytea NOT NULL, ip text,
  PRIMARY KEY (tenant, at, id)) PARTITION BY RANGE (at);
CREATE INDEX IF NOT EXISTS request_person ON request (person) WHERE person IS NOT NULL;

-- Days that a load is the first to bring. They have no index until all their rows are there: to
-- make it then takes half as long as to add each row. It has no rows outside of a load.
CREATE TABLE IF NOT EXISTS request_new (LIKE request) PARTITION BY RANGE (at);

-- Requests that were loaded, a day and application. They name nobody, and stay when a day's
-- partition is dropped.
CREATE TABLE IF NOT EXISTS request_count (
  tenant int NOT NULL REFERENCES tenant, day date NOT NULL, application int NOT NULL,
  without_mfa bigint NOT NULL, with_mfa bigint NOT NULL, unknown bigint NOT NULL,
  PRIMARY KEY (day, tenant, application));

CREATE TABLE IF NOT EXISTS adoption (
  tenant int NOT NULL REFERENCES tenant, day date NOT NULL, application int NOT NULL,
  with_mfa bigint NOT NULL, total bigint NOT NULL, collector uuid NOT NULL, run bigint NOT NULL,
  PRIMARY KEY (day, tenant, application));

CREATE TABLE IF NOT EXISTS run (
  collector uuid NOT NULL, run bigint NOT NULL, tenant int NOT NULL REFERENCES tenant,
  at timestamptz NOT NULL, users text NOT NULL, users_from timestamptz, users_error text,
  unidentified int, requests text, requests_from timestamptz, requests_error text,
  requests_without_time int, gap_from timestamptz, gap_to timestamptz, next_at timestamptz,
  adoption text, adoption_error text, PRIMARY KEY (tenant, at, collector));

-- Requests of earlier days are not loaded: prune() dropped their partitions.
CREATE TABLE IF NOT EXISTS kept (is_one boolean PRIMARY KEY DEFAULT true CHECK (is_one),
                                 requests_from date NOT NULL);
INSERT INTO kept (requests_from) VALUES (current_date - 400) ON CONFLICT DO NOTHING;

-- One load at a time, and no erasure meanwhile: so none waits for another in a circle, and each day
-- gets one partition. The lock ends with the transaction.
CREATE OR REPLACE PROCEDURE lock_rows() LANGUAGE sql AS
  'SELECT pg_advisory_xact_lock(hashtext(''pcapi.rows''))';

-- Makes the partition of each day that has none, as one of request_new, and returns these days.
-- Days that are over, and those of the future, get none.
CREATE OR REPLACE FUNCTION make_partitions(days date[]) RETURNS date[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET client_min_messages = warning AS $$
DECLARE day date; made date[] = '{}'; name text;
BEGIN
  CALL pcapi.lock_rows();
  FOR day IN SELECT DISTINCT d FROM unnest(days) d
      WHERE d >= (SELECT requests_from FROM pcapi.kept) AND d < current_date + 2 ORDER BY d LOOP
    name := 'request_' || to_char(day, 'YYYYMMDD');
    CONTINUE WHEN to_regclass('pcapi.' || name) IS NOT NULL;
    EXECUTE format('CREATE TABLE pcapi.%I PARTITION OF pcapi.request_new '
      'FOR VALUES FROM (%L) TO (%L)', name, day::timestamptz, (day + 1)::timestamptz);
    made := made || day;
  END LOOP;
  RETURN made;
END $$;

-- Makes the partitions of these days, which have all rows now, partitions of request. That makes
-- their indexes, and does not wait for queries.
CREATE OR REPLACE FUNCTION attach_partitions(days date[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' AS $$
DECLARE day date; name text;
BEGIN
  FOREACH day IN ARRAY days LOOP
    name := 'request_' || to_char(day, 'YYYYMMDD');
    EXECUTE format('ALTER TABLE pcapi.request_new DETACH PARTITION pcapi.%I', name);
    EXECUTE format('ALTER TABLE pcapi.request ATTACH PARTITION pcapi.%I '
      'FOR VALUES FROM (%L) TO (%L)', name, day::timestamptz, (day + 1)::timestamptz);
  END LOOP;
END $$;

-- Makes the temporary tables of the days and names that a load brings, the names with their keys.
-- Joins with them are planned for their real size; a user who loads may not analyze the tables of
-- all names.
CREATE OR REPLACE PROCEDURE make_key_tables() LANGUAGE plpgsql AS $$
BEGIN
  CREATE TEMPORARY TABLE IF NOT EXISTS days_in (tenant_id uuid, application_id text, day date);
  CREATE TEMPORARY TABLE IF NOT EXISTS tenant_key (tenant_id uuid PRIMARY KEY, tenant int);
  CREATE TEMPORARY TABLE IF NOT EXISTS application_key (application_id text, application int);
  CREATE TEMPORARY TABLE IF NOT EXISTS operation_key (name text, operation int);
  CREATE TEMPORARY TABLE IF NOT EXISTS person_key (
    tenant_id uuid, person_id text, person bigint);
  TRUNCATE days_in, tenant_key, application_key, operation_key, person_key;
END $$;

-- Begins a load: makes the temporary tables that COPY fills.
CREATE OR REPLACE PROCEDURE begin_load() LANGUAGE plpgsql AS $$
BEGIN
  CREATE TEMPORARY TABLE IF NOT EXISTS collector_in (collector uuid, run bigint);
  CREATE TEMPORARY TABLE IF NOT EXISTS runs_in (
    collector uuid, run bigint, tenant_id uuid, name text, at timestamptz, users text,
    users_from timestamptz, users_error text, unidentified int, requests text,
    requests_from timestamptz, requests_error text, requests_without_time int,
    gap_from timestamptz, gap_to timestamptz, next_at timestamptz, adoption text,
    adoption_error text);
  CREATE TEMPORARY TABLE IF NOT EXISTS requests_in (
    collector uuid, run bigint, tenant_id uuid, at timestamptz, request_id bytea, person_id text,
    application_id text, operation text, ip text, mfa boolean);
  CREATE TEMPORARY TABLE IF NOT EXISTS findings_in (
    collector uuid, run bigint, tenant_id uuid, person_id text, upn text, home_tenant_id text,
    episode int, state text, first_at timestamptz, last_at timestamptz,
    is_exact boolean, times int, mfa_at timestamptz, opened_at timestamptz, seen_at timestamptz,
    closed_at timestamptz, is_visible boolean, exception_who text, exception_tenant text,
    exception_until text, exception_why text);
  CREATE TEMPORARY TABLE IF NOT EXISTS adoption_in (
    collector uuid, run bigint, tenant_id uuid, day date, application_id text, application text,
    with_mfa bigint, total bigint);
  CREATE TEMPORARY TABLE IF NOT EXISTS after_in (run bigint);
  TRUNCATE collector_in, after_in, runs_in, requests_in, findings_in, adoption_in;
  CALL pcapi.make_key_tables();
END $$;

-- The run after which a load begins: the bookmark; 0 for a history that was never loaded. If the
-- history does not know that run, pcapi history export writes all rows. An error if there is no
-- collector.
CREATE OR REPLACE FUNCTION bookmark() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE given record; after bigint;
BEGIN
  SELECT * INTO STRICT given FROM collector_in;
  after := coalesce((SELECT run FROM pcapi.collector c WHERE c.collector = given.collector), 0);
  INSERT INTO after_in VALUES (after);
  RETURN after;
END $$;

-- Whether the load brings all rows of the history: it has no bookmark, or one that the history does
-- not know. The history was then restored from a backup, or is a copy: it lacks runs that were
-- loaded.
CREATE OR REPLACE FUNCTION is_whole() RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM after_in a
    WHERE a.run = 0 OR EXISTS (SELECT FROM runs_in r WHERE r.run <= a.run))
$$;

CREATE OR REPLACE PROCEDURE warn_of_unknown_bookmark() LANGUAGE plpgsql AS $$
DECLARE after bigint = (SELECT run FROM after_in);
BEGIN
  IF after > 0 AND pcapi.is_whole() THEN
    RAISE WARNING 'the history does not have the run %, which was loaded last', after
      USING HINT = 'All of it is loaded. If it was not restored from a backup, two machines work '
        'with copies of one history: give each tenant to one of them, and begin a new history '
        'on the other.';
  END IF;
END $$;

-- An index takes no long text. Requests of days that are over are not loaded, nor those of the
-- future.
CREATE OR REPLACE PROCEDURE adapt_rows() LANGUAGE sql AS $$
  UPDATE requests_in SET operation = left(operation, 500), person_id = left(person_id, 500),
      application_id = left(application_id, 500)
    WHERE greatest(octet_length(operation), octet_length(person_id),
      octet_length(application_id)) > 500;
  UPDATE findings_in SET person_id = left(person_id, 500), upn = left(upn, 500)
    WHERE greatest(octet_length(person_id), octet_length(upn)) > 500;
  UPDATE adoption_in SET application_id = left(application_id, 500)
    WHERE octet_length(application_id) > 500;
  DELETE FROM requests_in
    WHERE at < (SELECT requests_from::timestamp AT TIME ZONE 'UTC' FROM pcapi.kept)
      OR at >= (current_date + 2)::timestamp AT TIME ZONE 'UTC';
$$;

-- Lists the days and names that the load brings.
CREATE OR REPLACE PROCEDURE list_names() LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO days_in SELECT DISTINCT tenant_id, application_id, (at AT TIME ZONE 'UTC')::date
    FROM requests_in;
  INSERT INTO tenant_key SELECT tenant_id FROM runs_in UNION SELECT tenant_id FROM days_in
    UNION SELECT tenant_id FROM findings_in UNION SELECT tenant_id FROM adoption_in;
  INSERT INTO application_key SELECT application_id FROM days_in
    UNION SELECT application_id FROM adoption_in;
  INSERT INTO operation_key SELECT operation FROM requests_in WHERE operation IS NOT NULL
    GROUP BY operation;
  INSERT INTO person_key SELECT tenant_id, person_id FROM requests_in WHERE person_id IS NOT NULL
    UNION SELECT tenant_id, person_id FROM findings_in WHERE state <> 'removed';
  ANALYZE days_in, tenant_key, application_key, operation_key, person_key;
END $$;

-- The dimensions: stores each name once, and sets its key.
CREATE OR REPLACE PROCEDURE load_names() LANGUAGE sql AS $$
  INSERT INTO pcapi.collector (collector) SELECT collector FROM collector_in
    ON CONFLICT DO NOTHING;
  INSERT INTO pcapi.tenant (id) SELECT tenant_id FROM tenant_key
    WHERE NOT EXISTS (SELECT FROM pcapi.tenant WHERE id = tenant_id);
  UPDATE tenant_key k SET tenant = t.tenant FROM pcapi.tenant t WHERE t.id = k.tenant_id;
  INSERT INTO pcapi.operation (name) SELECT k.name FROM operation_key k
    WHERE NOT EXISTS (SELECT FROM pcapi.operation o WHERE o.name = k.name);
  UPDATE operation_key k SET operation = o.operation FROM pcapi.operation o WHERE o.name = k.name;
  INSERT INTO pcapi.application (id) SELECT application_id FROM application_key
    WHERE NOT EXISTS (SELECT FROM pcapi.application WHERE id = application_id);
  UPDATE application_key k SET application = a.application FROM pcapi.application a
    WHERE a.id = k.application_id;
  UPDATE pcapi.application SET name = given.name
    FROM (SELECT DISTINCT ON (application_id) application_id, application AS name FROM adoption_in
      WHERE application IS NOT NULL ORDER BY application_id, day DESC) given
    WHERE application.id = given.application_id AND application.name IS DISTINCT FROM given.name;
  INSERT INTO pcapi.person (tenant, id)
    SELECT t.tenant, k.person_id FROM person_key k JOIN tenant_key t USING (tenant_id)
    WHERE NOT EXISTS (SELECT FROM pcapi.person p WHERE p.tenant = t.tenant AND p.id = k.person_id);
  -- no join: without statistics of the new people it would read all of a tenant for each
  UPDATE person_key k SET person = (SELECT p.person FROM pcapi.person p WHERE p.id = k.person_id
    AND p.tenant = (SELECT t.tenant FROM tenant_key t WHERE t.tenant_id = k.tenant_id));
$$;

-- Runs, and which collector a tenant belongs to: the one that asked it last.
CREATE OR REPLACE PROCEDURE load_runs() LANGUAGE sql AS $$
  INSERT INTO pcapi.run
    SELECT r.collector, r.run, t.tenant, at, users, users_from, users_error, unidentified, requests,
      requests_from, requests_error, requests_without_time, gap_from, gap_to, next_at, adoption,
      adoption_error
    FROM runs_in r JOIN tenant_key t USING (tenant_id)
    ON CONFLICT (tenant, at, collector) DO UPDATE SET run = excluded.run, users = excluded.users,
      users_from = excluded.users_from, users_error = excluded.users_error,
      unidentified = excluded.unidentified, requests = excluded.requests,
      requests_from = excluded.requests_from, requests_error = excluded.requests_error,
      requests_without_time = excluded.requests_without_time, gap_from = excluded.gap_from,
      gap_to = excluded.gap_to, next_at = excluded.next_at, adoption = excluded.adoption,
      adoption_error = excluded.adoption_error
    WHERE run.run < excluded.run OR run.run > excluded.run AND (SELECT pcapi.is_whole());
  UPDATE pcapi.tenant t SET name = given.name, collector = given.collector, asked_at = given.at,
      failed = given.users_error
    FROM (SELECT DISTINCT ON (tenant_id) * FROM runs_in ORDER BY tenant_id, at DESC, run DESC) given
    WHERE t.id = given.tenant_id AND (t.asked_at IS NULL OR given.at >= t.asked_at);
$$;

-- Findings: the later run wins. A whole history wins over later runs, which it lost; what they
-- opened is not open.
CREATE OR REPLACE PROCEDURE load_findings() LANGUAGE sql AS $$
  DELETE FROM pcapi.finding f USING findings_in i, pcapi.tenant t, pcapi.person p
    WHERE i.state = 'removed' AND t.id = i.tenant_id AND p.tenant = t.tenant
      AND p.id = i.person_id AND f.person = p.person AND f.collector = i.collector;
  UPDATE pcapi.person p SET upn = i.upn, home_tenant_id = i.home_tenant_id
    FROM (SELECT DISTINCT ON (tenant_id, person_id) * FROM findings_in WHERE state <> 'removed'
      ORDER BY tenant_id, person_id, run DESC) i JOIN person_key k USING (tenant_id, person_id)
    WHERE p.person = k.person AND (p.upn, p.home_tenant_id)
      IS DISTINCT FROM (i.upn, i.home_tenant_id);
  INSERT INTO pcapi.finding
    SELECT DISTINCT ON (k.person, i.episode) t.tenant, k.person, i.collector, i.episode, i.run,
      i.state, i.first_at, i.last_at, i.is_exact, i.times, i.mfa_at, i.opened_at, i.seen_at,
      i.closed_at, i.is_visible, i.exception_who, i.exception_tenant, i.exception_until,
      i.exception_why
    FROM findings_in i JOIN tenant_key t USING (tenant_id)
      JOIN person_key k USING (tenant_id, person_id)
    WHERE i.state <> 'removed' ORDER BY k.person, i.episode, i.run DESC
    ON CONFLICT (person, collector, episode) DO UPDATE SET run = excluded.run,
      state = excluded.state, first_at = excluded.first_at, last_at = excluded.last_at,
      is_exact = excluded.is_exact, times = excluded.times, mfa_at = excluded.mfa_at,
      opened_at = excluded.opened_at, seen_at = excluded.seen_at, closed_at = excluded.closed_at,
      is_visible = excluded.is_visible, exception_who = excluded.exception_who,
      exception_tenant = excluded.exception_tenant, exception_until = excluded.exception_until,
      exception_why = excluded.exception_why
    WHERE finding.run < excluded.run
      OR finding.run > excluded.run AND (SELECT pcapi.is_whole());
  DELETE FROM pcapi.finding f USING collector_in c
    WHERE pcapi.is_whole() AND f.collector = c.collector AND f.closed_at IS NULL
      AND NOT EXISTS (SELECT FROM findings_in i JOIN person_key k USING (tenant_id, person_id)
        WHERE k.person = f.person AND i.episode = f.episode);
$$;

-- Adoption: the later run wins; of two collectors, the one that the tenant belongs to, since their
-- clocks may differ.
CREATE OR REPLACE PROCEDURE load_adoption() LANGUAGE sql AS $$
  INSERT INTO pcapi.adoption
    SELECT DISTINCT ON (i.day, t.tenant, a.application) t.tenant, i.day, a.application, i.with_mfa,
      i.total, i.collector, i.run
    FROM adoption_in i JOIN tenant_key t USING (tenant_id)
      JOIN application_key a USING (application_id)
    ORDER BY i.day, t.tenant, a.application, i.run DESC
    ON CONFLICT (day, tenant, application) DO UPDATE SET with_mfa = excluded.with_mfa,
      total = excluded.total, collector = excluded.collector, run = excluded.run
    WHERE adoption.collector = excluded.collector AND (adoption.run < excluded.run
        OR adoption.run > excluded.run AND (SELECT pcapi.is_whole()))
      OR adoption.collector <> excluded.collector AND excluded.collector
        = (SELECT t.collector FROM pcapi.tenant t WHERE t.tenant = excluded.tenant);
$$;

-- Requests with the keys of their names.
CREATE OR REPLACE FUNCTION keyed_requests() RETURNS TABLE (at timestamptz, person bigint,
  tenant int, application int, operation int, mfa boolean, id bytea, ip text, day date)
LANGUAGE sql STABLE AS $$
  SELECT i.at, p.person, t.tenant, a.application, o.operation, i.mfa, i.request_id, i.ip,
    (i.at AT TIME ZONE 'UTC')::date
  FROM requests_in i JOIN tenant_key t USING (tenant_id)
    JOIN application_key a USING (application_id)
    LEFT JOIN operation_key o ON o.name = i.operation
    LEFT JOIN person_key p ON p.tenant_id = i.tenant_id AND p.person_id = i.person_id
$$;

-- Requests that are stored already: a person is added where a later run knew more.
CREATE OR REPLACE PROCEDURE complete_requests(new_days date[]) LANGUAGE sql AS $$
  UPDATE pcapi.request r SET person = k.person, ip = coalesce(k.ip, r.ip)
    FROM pcapi.keyed_requests() k WHERE k.person IS NOT NULL AND k.day <> ALL (new_days)
      AND r.tenant = k.tenant AND r.at = k.at AND r.id = k.id
      AND r.person IS DISTINCT FROM k.person;
$$;

-- Requests: each once, and those that are new are counted.
CREATE OR REPLACE PROCEDURE load_requests(new_days date[]) LANGUAGE sql
SET enable_nestloop = off AS $$ -- the keys of a load fit in memory
  WITH added AS (
    INSERT INTO pcapi.request SELECT at, person, tenant, application, operation, mfa, id, ip
      FROM pcapi.keyed_requests() WHERE day <> ALL (new_days)
      ON CONFLICT DO NOTHING
      RETURNING tenant, (at AT TIME ZONE 'UTC')::date AS day, application, mfa),
  of_new_days AS (
    INSERT INTO pcapi.request_new SELECT at, person, tenant, application, operation, mfa, id, ip
      FROM pcapi.keyed_requests() WHERE day = ANY (new_days)
      RETURNING tenant, (at AT TIME ZONE 'UTC')::date AS day, application, mfa)
  INSERT INTO pcapi.request_count
    SELECT tenant, day, application, count(*) FILTER (WHERE NOT mfa), count(*) FILTER (WHERE mfa),
      count(*) FILTER (WHERE mfa IS NULL)
    FROM (SELECT * FROM added UNION ALL SELECT * FROM of_new_days) stored GROUP BY 1, 2, 3
    ON CONFLICT (day, tenant, application) DO UPDATE
      SET without_mfa = request_count.without_mfa + excluded.without_mfa,
        with_mfa = request_count.with_mfa + excluded.with_mfa,
        unknown = request_count.unknown + excluded.unknown;
$$;

-- Stores what the temporary tables hold, and sets the bookmark, in one transaction.
CREATE OR REPLACE PROCEDURE finish_load() LANGUAGE plpgsql
SET timezone = 'UTC' SET work_mem = '64MB' AS $$
DECLARE new_days date[];
BEGIN
  CALL pcapi.lock_rows(); -- first, or prune() might drop a day that adapt_rows() has seen
  CALL pcapi.adapt_rows();
  ANALYZE runs_in, findings_in, adoption_in, requests_in; -- else the plans are made for few rows
  CALL pcapi.warn_of_unknown_bookmark();
  CALL pcapi.list_names();
  new_days := pcapi.make_partitions(ARRAY(SELECT DISTINCT day FROM days_in));
  CALL pcapi.load_names();
  CALL pcapi.load_runs();
  CALL pcapi.load_findings();
  CALL pcapi.load_adoption();
  CALL pcapi.complete_requests(new_days);
  CALL pcapi.load_requests(new_days);
  PERFORM pcapi.attach_partitions(new_days);
  UPDATE pcapi.collector c SET run = i.run, loaded_at = now()
    FROM collector_in i WHERE c.collector = i.collector;
END $$;

-- Drops the days of requests that are over, and deletes findings that were closed, or that no
-- collector has followed, and runs that were made long ago, with people of whom nothing is left.
CREATE OR REPLACE FUNCTION prune(keep_requests int DEFAULT 90, keep_findings int DEFAULT 400)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET lock_timeout = 0 SET timezone = 'UTC' AS $$
DECLARE name text; first date := current_date - keep_requests;
BEGIN
  IF (keep_requests >= 8 AND keep_findings >= 8) IS NOT TRUE THEN
    RAISE 'keep_requests and keep_findings must be 8 days or more: the service lists 7';
  END IF;
  CALL pcapi.lock_rows();
  SET LOCAL lock_timeout = '10s'; -- queries wait behind a table that waits to be dropped
  UPDATE pcapi.kept SET requests_from = greatest(requests_from, first);
  FOR name IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      WHERE i.inhparent = 'pcapi.request'::regclass
        AND c.relname < 'request_' || to_char(first, 'YYYYMMDD') LOOP
    EXECUTE format('DROP TABLE pcapi.%I', name);
  END LOOP;
  DELETE FROM pcapi.finding f USING pcapi.tenant t WHERE t.tenant = f.tenant
    AND (closed_at < current_date - keep_findings
      OR seen_at < current_date - keep_findings AND t.collector <> f.collector);
  DELETE FROM pcapi.run WHERE at < current_date - keep_findings;
  DELETE FROM pcapi.person p
    WHERE NOT EXISTS (SELECT FROM pcapi.finding f WHERE f.person = p.person)
    AND NOT EXISTS (SELECT FROM pcapi.request r WHERE r.person = p.person);
END $$;

-- Erases a person of all tenants, or of one: object ID or upn. The requests stay without user and
-- address. Returns how many people were erased. Erase the person in each collector first, with
-- pcapi history forget: a load brings what a history still holds.
CREATE OR REPLACE FUNCTION erase_person(who text, of_tenant uuid DEFAULT NULL) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE found_people bigint[];
BEGIN
  CALL pcapi.lock_rows();
  SELECT array_agg(person) INTO found_people FROM pcapi.person p JOIN pcapi.tenant t USING (tenant)
    WHERE (p.id IN (lower(who COLLATE "C"), 'upn:' || lower(who COLLATE "C")) -- A to Z, as pcapi
        OR lower(p.upn) = lower(who))
      AND (of_tenant IS NULL OR t.id = of_tenant);
  UPDATE pcapi.request SET person = NULL, ip = NULL WHERE person = ANY (found_people);
  DELETE FROM pcapi.finding WHERE person = ANY (found_people);
  DELETE FROM pcapi.person WHERE person = ANY (found_people);
  RETURN coalesce(cardinality(found_people), 0);
END $$;

-- The five questions. A finding counts if the collector knows it that asked the tenant last.
CREATE OR REPLACE VIEW findings AS
  SELECT t.id AS tenant_id, t.name AS tenant, p.id AS person_id, p.upn, p.home_tenant_id, f.episode,
    f.state, f.first_at, f.last_at, f.mfa_at, f.opened_at, f.seen_at, f.closed_at, f.times,
    f.is_exact, f.is_visible, f.exception_who, f.exception_tenant, f.exception_until,
    f.exception_why, t.asked_at
  FROM finding f JOIN tenant t USING (tenant) JOIN person p USING (person)
  WHERE f.collector = t.collector;

-- Who is open?
CREATE OR REPLACE VIEW open_findings AS
  SELECT * FROM findings WHERE closed_at IS NULL AND exception_who IS NULL;

-- Who is new this week? The first list of a collector is no news.
CREATE OR REPLACE VIEW new_this_week AS
  SELECT f.* FROM findings f JOIN tenant t ON t.id = f.tenant_id
  WHERE opened_at >= now() - interval '7 days' AND exception_who IS NULL
    AND EXISTS (SELECT FROM run r WHERE r.tenant = t.tenant AND r.collector = t.collector
      AND r.at < f.opened_at AND r.users <> 'failed');

-- Which applications come without MFA, in the last 7 days?
CREATE OR REPLACE VIEW by_application AS
  SELECT a.id AS application_id, a.name AS application, count(DISTINCT c.tenant) AS tenants,
    sum(without_mfa) AS without_mfa, sum(with_mfa) AS with_mfa
  FROM request_count c JOIN application a USING (application)
  WHERE day >= (now() AT TIME ZONE 'UTC')::date - 7 GROUP BY a.id, a.name;

-- How does each tenant stand?
CREATE OR REPLACE VIEW by_tenant AS
  SELECT t.id AS tenant_id, t.name AS tenant, t.asked_at, t.failed, f.open, f.excepted,
    c.without_mfa, c.with_mfa
  FROM tenant t LEFT JOIN (SELECT tenant, collector,
      count(*) FILTER (WHERE exception_who IS NULL) AS open,
      count(*) FILTER (WHERE exception_who IS NOT NULL) AS excepted
    FROM finding WHERE closed_at IS NULL GROUP BY 1, 2) f USING (tenant, collector)
  LEFT JOIN (SELECT tenant, sum(without_mfa) AS without_mfa, sum(with_mfa) AS with_mfa
    FROM request_count WHERE day >= (now() AT TIME ZONE 'UTC')::date - 7 GROUP BY 1) c
    USING (tenant);

-- How many requests come with MFA each day? `listed` are those that were loaded, `total` those that
-- the service counts.
CREATE OR REPLACE VIEW per_day AS
  SELECT day, c.listed_without_mfa, c.listed_with_mfa, a.with_mfa, a.total
  FROM (SELECT day, sum(without_mfa) AS listed_without_mfa, sum(with_mfa) AS listed_with_mfa
    FROM request_count GROUP BY day) c
  FULL JOIN (SELECT day, sum(with_mfa) AS with_mfa, sum(total) AS total
    FROM adoption GROUP BY day) a USING (day)
  ORDER BY day;

-- Least rights. Only functions of this file drop and erase.
REVOKE ALL ON SCHEMA pcapi FROM public;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pcapi FROM public;
REVOKE ALL ON ALL PROCEDURES IN SCHEMA pcapi FROM public;
GRANT USAGE ON SCHEMA pcapi TO pcapi_load, pcapi_read, pcapi_erase;
GRANT SELECT, INSERT, UPDATE ON collector, tenant, person, application, operation, request,
  request_new, request_count, adoption, run, finding TO pcapi_load;
GRANT DELETE ON finding TO pcapi_load;
GRANT SELECT ON kept TO pcapi_load;
GRANT EXECUTE ON ALL PROCEDURES IN SCHEMA pcapi TO pcapi_load;
GRANT EXECUTE ON FUNCTION make_partitions, attach_partitions, keyed_requests, bookmark, is_whole
  TO pcapi_load;
GRANT SELECT ON findings, open_findings, new_this_week, by_application, by_tenant, per_day
  TO pcapi_read;
GRANT EXECUTE ON FUNCTION erase_person, prune TO pcapi_erase;
COMMIT;
