const WORKGROUP: u32 = 256u;
// Threads that have something to do.
const COUNT: u32 = {{ count }}u;
// Workgroups in the first dimension of the grid.
const COLUMNS: u32 = {{ columns }}u;

fn thread(workgroup: vec3<u32>, local: u32) -> u32 {
    return (workgroup.y * COLUMNS + workgroup.x) * WORKGROUP + local;
}

