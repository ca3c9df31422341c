// What every lane has of its column.
var<workgroup> of_lanes: array<Moments, WORKGROUP>;

// Those of all lanes of a column, merged two by two, for the first of them. All threads of a workgroup call it,
// once.
fn merged_lanes(own: Moments, local: u32) -> Moments {
    of_lanes[local] = own;
    for (var half = {{ half }}u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half * WIDE && local + half * WIDE < LANES * WIDE {
            of_lanes[local] = merged(of_lanes[local], of_lanes[local + half * WIDE]);
        }
    }
    return of_lanes[local];
}

