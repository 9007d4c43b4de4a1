-- Which components break most, measured by the complexity of the work that went into them; unknown complexity last.
SELECT component_path, tasks, complexity, defects, severe_defects, defect_density
FROM defect_density_by_component
ORDER BY defect_density DESC NULLS LAST, defects DESC, component_path;
