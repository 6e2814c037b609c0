-- A role and a schema of a namespace's own in the store's database; a role that is there gets the password.
--   psql --username=postgres --dbname=autoretrain --set=namespace=NAME --set=password=PASSWORD < namespace.sql
-- A role finds the schema of its own name alone: tables that somebody has in `public` would be taken for its own. Nobody
-- else's lets it in. The prefix keeps it from being ours.
\set ON_ERROR_STOP on
\set role 'ns-' :namespace
SELECT format('CREATE ROLE %I LOGIN', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
ALTER ROLE :"role" PASSWORD :'password';
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'role') \gexec
SELECT format('ALTER ROLE %I IN DATABASE %I SET search_path = %I', :'role', current_database(), :'role') \gexec
CREATE SCHEMA IF NOT EXISTS :"role" AUTHORIZATION :"role";
