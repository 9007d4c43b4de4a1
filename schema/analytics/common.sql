-- Parts that several families of questions share. `:name` marks a value; a filter that was not given is NULL.

-- name: project
(CAST(:project AS text) IS NULL OR project_id = :project)

-- name: user
(CAST(:user AS text) IS NULL OR user_id = :user)

-- name: role
(CAST(:role AS text) IS NULL OR agent_role = :role)

-- name: model
(CAST(:model AS text) IS NULL OR llm_model = :model)

-- name: measured
timestamp >= :since AND timestamp < :until AND {project} AND {user} AND {role} AND {model}
