//! What plans of one input and no expressions have in common, as methods of `ExecutionPlan`.
//!
//! For structs with a field `input` and a method `with_input(&self, plan) -> Self`.

macro_rules! one_input {
    () => {
        fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
            vec![&self.input]
        }
        fn apply_expressions(
            &self,
            _: &mut dyn FnMut(
                &Arc<dyn datafusion::physical_expr::PhysicalExpr>,
            ) -> DfResult<datafusion::common::tree_node::TreeNodeRecursion>,
        ) -> DfResult<datafusion::common::tree_node::TreeNodeRecursion> {
            Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
        }
        fn replace_children(
            self: Arc<Self>,
            mut children: Vec<Arc<dyn ExecutionPlan>>,
            _: datafusion::physical_plan::ReplaceChildrenOptions,
        ) -> DfResult<Arc<dyn ExecutionPlan>> {
            Ok(Arc::new(self.with_input(children.swap_remove(0))))
        }
        fn with_new_children(
            self: Arc<Self>,
            mut children: Vec<Arc<dyn ExecutionPlan>>,
        ) -> DfResult<Arc<dyn ExecutionPlan>> {
            Ok(Arc::new(self.with_input(children.swap_remove(0))))
        }
    };
}
pub(crate) use one_input;
