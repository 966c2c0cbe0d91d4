-- Rows that the live project has and no migration makes: people, platforms, organisation and agents.
-- Applied as `postgres`, on either variant.

-- The password of both is `emocare-demo`: scrypt with n = 16384, r = 8, p = 1, as salt and key in hexadecimal.
insert into auth.users (id, email, encrypted_password, email_confirmed_at)
values
  (
    '00000000-0000-4000-8000-000000000001', 'presidente@emocare.test',
    'scrypt$14ce27c896e1d01db9abef10f8ba8a3b$ff06e381a14d121a690af2cd253d614b5bad762486b24771b23903dfb1581ee1',
    now()
  ),
  (
    '00000000-0000-4000-8000-000000000002', 'lectrice@emocare.test',
    'scrypt$237d70d71a147d448c94ae0bf7b43791$2303eec58d991d0fe724f26eacc7bd3fa1fda4c80759a79d1d719b4ac9a71e9a',
    now()
  );

insert into public.user_roles (user_id, role)
values
  ('00000000-0000-4000-8000-000000000001', 'owner'),
  ('00000000-0000-4000-8000-000000000002', 'viewer');

-- The later variant knows organisations, of which the owner is a member.
do $$
begin
  if to_regclass('public.organizations') is not null then
    insert into public.organization_members (organization_id, user_id, role)
    select o.id, '00000000-0000-4000-8000-000000000001', 'owner' from public.organizations o;
  end if;
end
$$;

insert into hq.platforms (key, name, description, github_url, uptime_percent, last_release_at)
select
  p.key, p.name, p.description, 'https://github.com/laeticiamng/' || p.key, p.uptime,
  now() - make_interval(days => p.days_since_release)
from (values
  ('emotionscare', 'EmotionsCare', 'Prendre soin de ses émotions, au travail comme chez soi.', 99.95, 6),
  ('nearvity', 'NEARVITY', 'Rencontrer ses voisins autour d''activités partagées.', 99.71, 19),
  ('system-compass', 'System Compass', 'S''orienter dans les systèmes du monde et comparer ses options.', 99.82, 33),
  ('growth-copilot', 'Growth Copilot', 'Confier sa croissance à une équipe d''agents marketing.', 99.64, 11),
  ('med-mng', 'Med MNG', 'Apprendre la médecine en musique et réviser sans y penser.', 99.90, 4),
  ('swift-care-hub', 'UrgenceOS', 'Fluidifier le parcours des patients aux urgences.', 99.97, 15),
  ('track-triumph-tavern', 'Track Triumph', 'Créer des morceaux, les défendre et voter pour ceux des autres.', 98.86, 27)
) p (key, name, description, uptime, days_since_release);

insert into hq.org_roles (key, title, title_fr, category)
values
  ('CEO', 'Chief Executive Officer', 'Directeur Général', 'c_suite'),
  ('CTO', 'Chief Technology Officer', 'Directeur Technique', 'c_suite'),
  ('CISO', 'Chief Information Security Officer', 'Directeur Sécurité', 'c_suite'),
  ('CMO', 'Chief Marketing Officer', 'Directeur Marketing', 'c_suite'),
  ('CFO', 'Chief Financial Officer', 'Directeur Financier', 'c_suite'),
  ('CPO', 'Chief Product Officer', 'Directeur Produit', 'c_suite'),
  ('CDO', 'Chief Data Officer', 'Directeur Data', 'c_suite'),
  ('COO', 'Chief Operating Officer', 'Directeur Opérations', 'c_suite'),
  ('CSO', 'Chief Strategy Officer', 'Directeur Stratégie', 'c_suite'),
  ('CGO', 'Chief Growth Officer', 'Directeur Croissance', 'c_suite'),
  ('CRO', 'Chief Revenue Officer', 'Directeur Commercial', 'c_suite'),
  ('DPO', 'Data Protection Officer', 'Délégué Protection Données', 'function_head'),
  ('CHIEF_OF_STAFF', 'Chief of Staff', 'Directeur de Cabinet', 'function_head'),
  ('HEAD_SUPPORT', 'Head of Support', 'Responsable Support', 'function_head'),
  ('HEAD_PEOPLE', 'Head of People', 'Responsable Ressources Humaines', 'function_head'),
  ('HEAD_INNOVATION', 'Head of Innovation', 'Responsable Innovation', 'function_head');

-- One agent for each role, under the name that the reports use.
insert into hq.agents (role_key, name)
select o.key, case when o.key like '%\_%' then initcap(replace(o.key, '_', ' ')) else o.key end || ' Agent'
from hq.org_roles o;
